import { describe, expect, it } from '@jest/globals';
import { GenerationalCache } from '../../../src/util/generational-cache.js';

function filled(
  size: number,
  count: number,
  isNeeded = (_value: number): boolean => false,
): GenerationalCache<number> {
  const memory = new GenerationalCache<number>(size, isNeeded);
  for (let value = 0; value < count; value += 1) memory.add(String(value), value);
  return memory;
}

describe('GenerationalCache', () => {
  it('remembers as many as it promises', () => {
    const memory = filled(10, 25);
    for (let value = 15; value < 25; value += 1) expect(memory.get(String(value))).toBe(value);
  });

  it('forgets what came long before', () => {
    expect(filled(10, 25).get('4')).toBeUndefined();
  });

  it('keeps what is used', () => {
    const memory = filled(10, 10);
    for (let value = 10; value < 100; value += 1) {
      expect(memory.get('3')).toBe(3);
      memory.add(String(value), value);
    }
    expect(memory.get('3')).toBe(3);
  });

  it('keeps needed values, used or not, and still has room for others', () => {
    const memory = filled(10, 1_000, (value) => value < 20);
    for (let value = 990; value < 1_000; value += 1) expect(memory.get(String(value))).toBe(value);
    for (let value = 0; value < 20; value += 1) expect(memory.get(String(value))).toBe(value);
  });

  it('forgets everything when it is cleared', () => {
    const memory = filled(10, 25);
    memory.clear();
    for (let value = 0; value < 25; value += 1) expect(memory.get(String(value))).toBeUndefined();
  });
});
