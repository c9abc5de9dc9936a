import { describe, expect, it } from '@jest/globals';
import { DurationHistogram } from '../../../../src/transport/telemetry/duration-histogram.js';

describe('DurationHistogram', () => {
  it('counts how many took at most so long', () => {
    const histogram = new DurationHistogram();
    for (const ms of [0, 0.1, 0.2, 3, 60_000]) histogram.record(ms);
    const { count, sum, buckets } = histogram.read();
    expect({ count, sum }).toEqual({ count: 5, sum: 60_003.3 });
    const upTo = (le: number) => buckets.find((bucket) => bucket.le === le)?.count;
    expect([upTo(0.1), upTo(0.25), upTo(2.5), upTo(5), upTo(10_000), upTo(Infinity)]).toEqual([
      2, 3, 3, 4, 4, 5,
    ]);
  });

  it('gives a copy that later durations do not change', () => {
    const histogram = new DurationHistogram();
    const before = histogram.read();
    histogram.record(1);
    expect(before.count).toBe(0);
    expect(before.buckets.every(({ count }) => count === 0)).toBe(true);
  });
});
