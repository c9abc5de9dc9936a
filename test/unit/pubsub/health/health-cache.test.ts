import { beforeEach, describe, expect, it } from '@jest/globals';
import { HealthCache, MAX_CACHED_RESULTS } from '../../../../src/pubsub/health/health-cache.js';

describe('cached results', () => {
  let cache: HealthCache<number>;
  let checks: number;
  const get = (key: string, cacheTtl: number, check = async () => ++checks): Promise<number> =>
    cache.get(key, () => cacheTtl, check);

  beforeEach(() => {
    cache = new HealthCache();
    checks = 0;
  });

  it('are one for checks at the same time, though none is to be kept', async () => {
    expect(await Promise.all([1, 2, 3].map(() => get('a', 0)))).toEqual([1, 1, 1]);
  });

  it('are kept for as long as asked, from when they are there', async () => {
    expect(await get('a', 60_000)).toBe(1);
    expect(await get('a', 60_000)).toBe(1);
    expect(await get('b', 0)).toBe(2);
    expect(await get('b', 0)).toBe(3);
  });

  it('belong to their key', async () => {
    expect(await Promise.all([get('a', 0), get('b', 0)])).toEqual([1, 2]);
  });

  it('are dropped when there are too many: the one that expires next', async () => {
    await get('of an hour', 3_600_000);
    for (let key = 1; key <= MAX_CACHED_RESULTS; key += 1) await get(`key ${key}`, 60_000);
    expect(await get('of an hour', 3_600_000)).toBe(1);
    expect(await get(`key ${MAX_CACHED_RESULTS}`, 60_000)).toBe(1 + MAX_CACHED_RESULTS);
    expect(await get('key 1', 60_000)).toBe(2 + MAX_CACHED_RESULTS);
  });

  it('are kept though many others have expired since', async () => {
    await get('a', 60_000);
    for (let key = 0; key < 3 * MAX_CACHED_RESULTS; key += 1) await get(`key ${key}`, 0);
    expect(await get('a', 60_000)).toBe(1);
  });

  it('are shared while they are awaited, however many there are', async () => {
    let resolve!: (value: number) => void;
    const awaited = get('a', 60_000, () => new Promise((done) => (resolve = done)));
    for (let key = 0; key < 2 * MAX_CACHED_RESULTS; key += 1) {
      void get(`key ${key}`, 0, () => new Promise(() => undefined));
    }
    expect(get('a', 60_000)).toBe(awaited);
    resolve(7);
    expect(await awaited).toBe(7);
  });

  it('are all dropped by clear()', async () => {
    await get('a', 60_000);
    cache.clear();
    expect(await get('a', 60_000)).toBe(2);
  });
});
