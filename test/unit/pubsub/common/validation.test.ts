import { describe, expect, it } from '@jest/globals';
import {
  invalidValue,
  readBoolean,
  readEnum,
  readFunction,
  readNumber,
  readObject,
} from '../../../../src/pubsub/common/validation.js';

const nothing = (): void => undefined;

describe('a value that cannot work', () => {
  it.each<[string, () => unknown, string]>([
    [
      'a number out of its range',
      () => readNumber('n', -1, 1, 5),
      'n must be a number between 1 and 5, received -1.',
    ],
    [
      'an infinite number',
      () => readNumber('n', Infinity, 0),
      'n must be a finite number of at least 0, received Infinity.',
    ],
    ['NaN', () => readNumber('n', NaN, 0, Infinity), 'n must be a number of at least 0, received NaN.'],
    [
      'a text for a number',
      () => readNumber('n', '5', 0, 9),
      'n must be a number between 0 and 9, received a string.',
    ],
    [
      'an unknown word',
      () => readEnum('e', 'fats', ['fast', 'slow']),
      'e must be "fast" or "slow", received "fats".',
    ],
    [
      'a long text for a word',
      () => readEnum('e', 'x'.repeat(21), ['a', 'b']),
      'e must be "a" or "b", received a string.',
    ],
    ['null for a flag', () => readBoolean('b', null), 'b must be true or false, received null.'],
    ['a list for a function', () => readFunction('f', [1]), 'f must be a function, received an array.'],
    ['nothing for options', () => readObject('o', undefined), 'o must be an object, received undefined.'],
    ['a secret for options', () => readObject('o', 'hunter2'), 'o must be an object, received a string.'],
  ])('is named with what was expected: %s', (_name, read, message) => {
    expect(read).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT', message }));
  });

  it.each<[unknown, string]>([
    [{ password: 'hunter2' }, 'an object'],
    [Buffer.from('hunter2'), 'an object'],
    [Symbol('hunter2'), 'a symbol'],
    [123n, 'a bigint'],
    [nothing, 'a function'],
  ])('is shown by its type where it may hold a secret', (given, shown) => {
    expect(invalidValue('x', 'a string', given).message).toBe(`x must be a string, received ${shown}.`);
  });
});

describe('a value that works', () => {
  it('is returned as it is', () => {
    const options = {};
    expect(readNumber('n', 1, 1, 1)).toBe(1);
    expect(readNumber('n', Infinity, 0, Infinity)).toBe(Infinity);
    expect(readEnum('e', 'slow', ['fast', 'slow'])).toBe('slow');
    expect(readBoolean('b', false)).toBe(false);
    expect(readFunction('f', nothing)).toBe(nothing);
    expect(readFunction<unknown>('f', undefined)).toBeUndefined();
    expect(readObject('o', options)).toBe(options);
  });
});
