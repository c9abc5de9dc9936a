import { describe, expect, it } from '@jest/globals';
import { fingerprint } from '../../../src/util/fingerprint.js';

describe('fingerprint()', () => {
  class Point {
    x = 1;
  }
  const ask = (): void => undefined;

  it.each([
    [
      { a: 1, b: [true, null] },
      { b: [true, null], a: 1 },
    ],
    [{ a: 1, b: undefined }, { a: 1 }],
    [Object.assign(Object.create(null) as object, { a: 1 }), { a: 1 }],
    [Buffer.from('key'), new Uint8Array([107, 101, 121])],
    [{ ask }, { ask }],
    [10n, 10n],
  ])('is equal for equal values: %p, %p', (one, other) => {
    expect(fingerprint(one)).toBe(fingerprint(other));
  });

  it('is that of the object itself where an object contains itself', () => {
    const one: Record<string, unknown> = { a: 1 };
    one.self = one;
    expect(fingerprint(one)).toBe(fingerprint(one));
  });

  it.each([
    [{ a: 1 }, { a: '1' }],
    [
      [1, 2],
      [2, 1],
    ],
    [['a,b'], ['a', 'b']],
    ['null', null],
    [{ a: 1 }, { a: 1, b: 2 }],
    [Buffer.from('key'), Buffer.from('kez')],
    [new Point(), new Point()],
    [() => 1, () => 1],
    [[], {}],
  ])('differs for values that differ: %p, %p', (one, other) => {
    expect(fingerprint(one)).not.toBe(fingerprint(other));
  });
});
