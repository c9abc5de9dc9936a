import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { deferred, type Deferred } from '../../../src/util/promises.js';
import { hedge } from '../../../src/util/hedged-attempts.js';

const PATIENCE = 200;

describe('hedge', () => {
  let attempts: Map<string, Deferred<string>>;

  beforeEach(() => {
    jest.useFakeTimers();
    attempts = new Map();
  });

  afterEach(() => {
    jest.useRealTimers();
  });

  const tryOut = (candidates: readonly string[]): Promise<string> =>
    hedge(
      candidates,
      (candidate) => {
        const attempt = deferred<string>();
        attempts.set(candidate, attempt);
        return attempt.promise;
      },
      PATIENCE,
      (errors) => new Error(errors.length === 0 ? 'nobody' : errors.map(String).join('; ')),
    );
  const tried = (): string[] => [...attempts.keys()];

  it('makes no second attempt when the first succeeds', async () => {
    const result = tryOut(['a', 'b']);
    attempts.get('a')!.resolve('from a');
    expect(await result).toBe('from a');
    await jest.advanceTimersByTimeAsync(10 * PATIENCE);
    expect(tried()).toEqual(['a']);
    expect(jest.getTimerCount()).toBe(0);
  });

  it('makes the next attempt as soon as one fails', async () => {
    const result = tryOut(['a', 'b']);
    attempts.get('a')!.reject(new Error('a is down'));
    await jest.advanceTimersByTimeAsync(0);
    attempts.get('b')!.resolve('from b');
    expect(await result).toBe('from b');
  });

  it('makes the next attempt when one is late, and still accepts the late result', async () => {
    const result = tryOut(['a', 'b', 'c']);
    await jest.advanceTimersByTimeAsync(PATIENCE);
    expect(tried()).toEqual(['a', 'b']);
    attempts.get('a')!.resolve('late a');
    expect(await result).toBe('late a');
  });

  it('makes no further attempt after a success, even if others fail later', async () => {
    const result = tryOut(['a', 'b', 'c']);
    await jest.advanceTimersByTimeAsync(PATIENCE);
    attempts.get('b')!.resolve('from b');
    await result;
    attempts.get('a')!.reject(new Error('a is down'));
    await jest.advanceTimersByTimeAsync(10 * PATIENCE);
    expect(tried()).toEqual(['a', 'b']);
    expect(jest.getTimerCount()).toBe(0);
  });

  it('rejects with all failures when all attempts have failed, and not before', async () => {
    const result = tryOut(['a', 'b']);
    const outcome = expect(result).rejects.toThrow('Error: b is down; Error: a is down');
    await jest.advanceTimersByTimeAsync(PATIENCE);
    attempts.get('b')!.reject(new Error('b is down'));
    await jest.advanceTimersByTimeAsync(0);
    attempts.get('a')!.reject(new Error('a is down'));
    await outcome;
    expect(jest.getTimerCount()).toBe(0);
  });

  it('rejects at once without candidates', async () => {
    await expect(tryOut([])).rejects.toThrow('nobody');
  });
});
