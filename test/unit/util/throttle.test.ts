import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Throttle } from '../../../src/util/throttle.js';

const SPACING = 50;

describe('Throttle', () => {
  let runs: number[];
  let spaced: Throttle;

  beforeEach(() => {
    jest.useFakeTimers();
    runs = [];
    spaced = new Throttle(() => runs.push(performance.now()), SPACING);
  });

  afterEach(() => {
    jest.useRealTimers();
  });

  it('runs at once for the first request', () => {
    spaced.schedule();
    expect(runs).toHaveLength(1);
    expect(jest.getTimerCount()).toBe(0);
  });

  it('runs once more for all requests that come too soon after that, and then rests', () => {
    for (let sign = 0; sign < 1_000; sign += 1) spaced.schedule();
    jest.advanceTimersByTime(SPACING);
    expect(runs).toEqual([runs[0]!, runs[0]! + SPACING]);
    jest.advanceTimersByTime(10 * SPACING);
    expect(runs).toHaveLength(2);
  });

  it('runs 20 times a second in a storm', () => {
    for (let ms = 0; ms < 10_000; ms += 1) {
      spaced.schedule();
      jest.advanceTimersByTime(1);
    }
    expect(runs.length).toBeGreaterThanOrEqual(190);
    expect(runs.length).toBeLessThanOrEqual(201); // the first, and one after each 50 ms
  });

  it('drops the run that waits when it is cancelled', () => {
    spaced.schedule();
    spaced.schedule();
    spaced.cancel();
    jest.advanceTimersByTime(10 * SPACING);
    expect(runs).toHaveLength(1);
    expect(jest.getTimerCount()).toBe(0);
  });
});
