import { describe, expect, it } from '@jest/globals';
import { FifoQueue } from '../../../src/util/fifo-queue.js';

describe('FifoQueue', () => {
  it('returns items in the order they were added, however pushes and shifts mix', () => {
    const fifo = new FifoQueue<number>();
    const out: number[] = [];
    let next = 0;
    for (let round = 0; round < 500; round += 1) {
      for (let pushes = round % 17; pushes > 0; pushes -= 1) fifo.push(next++);
      for (let shifts = round % 13; shifts > 0 && fifo.length > 0; shifts -= 1) out.push(fifo.shift()!);
    }
    out.push(...fifo.drain());
    expect(out).toEqual(Array.from({ length: next }, (_, index) => index));
  });

  it('is empty when all items were removed, and accepts more', () => {
    const fifo = new FifoQueue<string>();
    expect(fifo.shift()).toBeUndefined();
    expect(fifo.peek()).toBeUndefined();
    fifo.push('a');
    expect(fifo.shift()).toBe('a');
    expect(fifo.length).toBe(0);
    expect(fifo.shift()).toBeUndefined();
    fifo.push('b');
    expect(fifo.peek()).toBe('b');
    expect(fifo.length).toBe(1);
  });

  it('keeps count when it compacts its array', () => {
    const fifo = new FifoQueue<number>();
    for (let index = 0; index < 5_000; index += 1) fifo.push(index);
    for (let index = 0; index < 4_000; index += 1) expect(fifo.shift()).toBe(index);
    expect(fifo.length).toBe(1_000);
    expect(fifo.peek()).toBe(4_000);
    expect(fifo.drain()).toHaveLength(1_000);
    expect(fifo.length).toBe(0);
  });

  it('removes the oldest wanted item, and keeps the others in order', () => {
    const fifo = new FifoQueue<number>();
    for (const item of [1, 2, 3, 4]) fifo.push(item);
    fifo.shift();
    expect(fifo.take((item) => item > 2)).toBe(3);
    expect(fifo.take((item) => item > 9)).toBeUndefined();
    expect(fifo.length).toBe(2);
    expect(fifo.drain()).toEqual([2, 4]);
  });

  it('is empty when all wanted items were removed', () => {
    const fifo = new FifoQueue<number>();
    fifo.push(1);
    fifo.push(2);
    fifo.shift();
    expect(fifo.take(() => true)).toBe(2);
    expect(fifo.shift()).toBeUndefined();
    fifo.push(3);
    expect(fifo.shift()).toBe(3);
  });
});
