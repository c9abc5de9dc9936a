import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { RequestTimeouts, Timed } from '../../../../src/transport/client/request-timeouts.js';

class Item extends Timed {
  constructor(readonly name: string) {
    super();
  }
}

describe('Deadlines', () => {
  let expired: string[];
  let deadlines: RequestTimeouts<Item>;

  const start = (name: string, duration: number): Item => {
    const item = new Item(name);
    deadlines.start(item, duration);
    return item;
  };

  beforeEach(() => {
    jest.useFakeTimers();
    expired = [];
    deadlines = new RequestTimeouts((item) => expired.push(item.name));
  });

  afterEach(() => {
    jest.useRealTimers();
  });

  it('expires items of different durations, each in its time', () => {
    start('slow', 500);
    start('fast', 100);
    jest.advanceTimersByTime(120);
    expect(expired).toEqual(['fast']);
    jest.advanceTimersByTime(400);
    expect(expired).toEqual(['fast', 'slow']);
  });

  it('expires items of one duration in their order', () => {
    for (const name of ['a', 'b', 'c']) start(name, 100);
    jest.advanceTimersByTime(120);
    expect(expired).toEqual(['a', 'b', 'c']);
  });

  it('uses one timer, however many items wait', () => {
    for (let i = 0; i < 100_000; i++) {
      start(String(i), 100 + (i % 3));
    }
    expect(jest.getTimerCount()).toBe(1);
    jest.advanceTimersByTime(200);
    expect(expired).toHaveLength(100_000);
    expect(jest.getTimerCount()).toBe(0);
  });

  it.each([0, 1, 2, 3])('forgets the one that was stopped, number %i of four, and no other', (stopped) => {
    const names = ['a', 'b', 'c', 'd'];
    const items = names.map((name) => start(name, 100));
    deadlines.stop(items[stopped]!);
    deadlines.stop(items[stopped]!);
    jest.advanceTimersByTime(200);
    expect(expired).toEqual(names.filter((_, index) => index !== stopped));
  });

  it('bears that all are stopped, and others started', () => {
    for (const item of ['a', 'b'].map((name) => start(name, 100))) deadlines.stop(item);
    start('c', 100);
    jest.advanceTimersByTime(200);
    expect(expired).toEqual(['c']);
  });

  it('starts anew for an item that is started again', () => {
    const stream = start('stream', 100);
    start('other', 100);
    jest.advanceTimersByTime(80);
    deadlines.start(stream, 100);
    jest.advanceTimersByTime(80);
    expect(expired).toEqual(['other']);
    jest.advanceTimersByTime(40);
    expect(expired).toEqual(['other', 'stream']);
  });

  it('bears that an item that has expired stops and starts others', () => {
    const victim = new Item('victim');
    deadlines = new RequestTimeouts((item) => {
      expired.push(item.name);
      if (item.name === 'first') {
        deadlines.stop(victim);
        start('later', 50);
      }
    });
    start('first', 100);
    deadlines.start(victim, 100);
    jest.advanceTimersByTime(120);
    expect(expired).toEqual(['first']);
    jest.advanceTimersByTime(60);
    expect(expired).toEqual(['first', 'later']);
  });

  it('takes 0 for no deadline', () => {
    start('patient', 0);
    expect(jest.getTimerCount()).toBe(0);
  });

  it('bears durations beyond what a timer can hold', () => {
    start('patient', 2 ** 40);
    jest.advanceTimersByTime(2 ** 31);
    expect(expired).toEqual([]);
  });

  it('leaves no timer when cleared, and lets go of what waited', () => {
    const item = start('a', 100);
    deadlines.clear();
    expect(jest.getTimerCount()).toBe(0);
    deadlines.stop(item);
    start('b', 100);
    jest.advanceTimersByTime(200);
    expect(expired).toEqual(['b']);
  });
});
