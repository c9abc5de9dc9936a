import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Deadlines } from '../../../src/transport/deadlines.js';

describe('Deadlines', () => {
  let expired: string[];
  let deadlines: Deadlines<string>;

  beforeEach(() => {
    jest.useFakeTimers();
    expired = [];
    deadlines = new Deadlines((item) => expired.push(item));
  });

  afterEach(() => {
    jest.useRealTimers();
  });

  it('expires items of different durations, each in its time', () => {
    deadlines.add('slow', 500);
    deadlines.add('fast', 100);
    jest.advanceTimersByTime(120);
    expect(expired).toEqual(['fast']);
    jest.advanceTimersByTime(400);
    expect(expired).toEqual(['fast', 'slow']);
  });

  it('uses one timer, however many items wait', () => {
    for (let i = 0; i < 1000; i++) {
      deadlines.add(String(i), 100 + (i % 3));
    }
    expect(jest.getTimerCount()).toBe(1);
    jest.advanceTimersByTime(200);
    expect(expired).toHaveLength(1000);
    expect(jest.getTimerCount()).toBe(0);
  });

  it('forgets what was deleted', () => {
    deadlines.add('done', 100);
    deadlines.add('late', 100);
    deadlines.delete('done', 100);
    jest.advanceTimersByTime(200);
    expect(expired).toEqual(['late']);
  });

  it('starts anew for an item that is added again', () => {
    deadlines.add('stream', 100);
    jest.advanceTimersByTime(80);
    deadlines.add('stream', 100);
    jest.advanceTimersByTime(80);
    expect(expired).toEqual([]);
    jest.advanceTimersByTime(40);
    expect(expired).toEqual(['stream']);
  });

  it('takes 0 for no deadline', () => {
    deadlines.add('patient', 0);
    expect(jest.getTimerCount()).toBe(0);
  });

  it('bears durations beyond what a timer can hold', () => {
    deadlines.add('patient', 2 ** 40);
    jest.advanceTimersByTime(2 ** 31);
    expect(expired).toEqual([]);
  });

  it('leaves no timer when cleared', () => {
    deadlines.add('a', 100);
    deadlines.clear();
    expect(jest.getTimerCount()).toBe(0);
  });
});
