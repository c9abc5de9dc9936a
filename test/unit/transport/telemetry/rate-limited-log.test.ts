import { describe, expect, it } from '@jest/globals';
import { RateLimitedLog } from '../../../../src/transport/telemetry/rate-limited-log.js';
import { deferred } from '../../../../src/util/promises.js';

describe('RateLimitedLog', () => {
  it('writes one line an interval and kind, and says how many it left out', () => {
    const lines: string[] = [];
    const log = new RateLimitedLog((line) => lines.push(line), 1e9);
    log.log('one', 'A');
    log.log('one', 'A');
    log.log('other', 'B');
    expect(lines).toEqual(['one', 'other']);

    const eager = new RateLimitedLog((line) => lines.push(line), 0);
    eager.log('three');
    eager.log('four');
    expect(lines.slice(2)).toEqual(['three', 'four']);
  });

  it('writes the last line when the interval is over, with how many were like it: a burst may be all there is', async () => {
    const lines: [string, string?][] = [];
    const written = deferred<undefined>();
    const log = new RateLimitedLog((...line) => {
      lines.push(line);
      if (lines.length === 2) written.resolve(undefined);
    }, 20);
    for (let n = 0; n < 500; n += 1) log.log(`failed ${String(n)}`, '', `stack ${String(n)}`);
    expect(lines).toEqual([['failed 0', 'stack 0']]);
    await written.promise;
    expect(lines[1]).toEqual(['failed 499 (and 498 like it before)', 'stack 499']);
    log.log('failed again');
    expect(lines).toHaveLength(2); // another interval has begun
  });

  it('counts a dropped line, and composes a line when it is written', async () => {
    const lines: string[] = [];
    const written = deferred<undefined>();
    const log = new RateLimitedLog((line) => {
      lines.push(line);
      if (lines.length === 2) written.resolve(undefined);
    }, 20);
    log.log('one');
    log.log(() => {
      throw new Error('dropped lines are not composed');
    });
    log.drop();
    log.log(() => `after ${String(lines.length)} line`);
    expect(lines).toEqual(['one']);
    await written.promise;
    expect(lines[1]).toBe('after 1 line (and 1 like it before)');
  });
});
