import { beforeEach, describe, expect, it } from '@jest/globals';
import { RequestIdWindow } from '../../../../src/transport/server/requesters.js';

const WINDOW = 8_192;
const id = (count: number): string => count.toString(36);

let seen: RequestIdWindow;

beforeEach(() => {
  seen = new RequestIdWindow();
});

describe('the ids of a client of ours, which counts', () => {
  it('are known when they come again', () => {
    for (const count of [0, 1, 2, 35, 36, 37]) {
      expect(seen.isFirst(id(count))).toBe(true);
      expect(seen.isFirst(id(count))).toBe(false);
    }
  });

  it('are distinguished in any order, and with gaps', () => {
    for (const count of [7, 3, 100, 5, 4_000, 6]) expect(seen.isFirst(id(count))).toBe(true);
    for (const count of [7, 3, 100, 5, 4_000, 6]) expect(seen.isFirst(id(count))).toBe(false);
    expect(seen.isFirst(id(4))).toBe(true);
  });

  it('are known for so many requests back, and then forgotten', () => {
    for (let count = 0; count < WINDOW; count += 1) seen.isFirst(id(count));
    expect(seen.isFirst(id(0))).toBe(false);
    expect(seen.isFirst(id(WINDOW))).toBe(true);
    expect(seen.isFirst(id(0))).toBe(true);
    expect(seen.isFirst(id(1))).toBe(false);
  });

  it('are new after a leap, however long', () => {
    for (let count = 0; count < 100; count += 1) seen.isFirst(id(count));
    for (const count of [WINDOW + 50, 5 * WINDOW + 50, 2 ** 20]) {
      expect(seen.isFirst(id(count))).toBe(true);
      expect(seen.isFirst(id(count))).toBe(false);
      expect(seen.isFirst(id(count - 1))).toBe(true);
    }
  });

  it('cannot be silenced by one that is forged', () => {
    seen.isFirst(id(1));
    expect(seen.isFirst('zzzzzzzzzz')).toBe(true);
    expect(seen.isFirst('zzzzzzzzzz')).toBe(false);
    for (const count of [2, 3]) {
      expect(seen.isFirst(id(count))).toBe(true);
      expect(seen.isFirst(id(count))).toBe(false);
    }
  });
});

describe('ids of another form', () => {
  it.each(['', '-1', '01', 'A', 'order 7', '0.5', 'z'.repeat(11), '5f3c1d2e-aa', 'ž'])(
    'are known when they come again: "%s"',
    (other) => {
      expect(seen.isFirst(other)).toBe(true);
      expect(seen.isFirst(other)).toBe(false);
      expect(seen.isFirst('1')).toBe(true);
    },
  );

  it('are remembered by the hundred, and not without limit', () => {
    for (let count = 0; count < 257; count += 1) seen.isFirst(`order ${String(count)}`);
    expect(seen.isFirst('order 1')).toBe(false);
    for (let count = 2_000; count < 5_000; count += 1) seen.isFirst(`order ${String(count)}`);
    expect(seen.isFirst('order 1')).toBe(true);
  });
});
