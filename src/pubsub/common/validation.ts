import { InvalidArgumentError } from './errors.js';

/** The longest delay that a Node timer accepts, in ms; a longer one fires at once. */
export const MAX_TIMER_MS = 2 ** 31 - 1;

/** A longer text is not repeated in an error, in characters. */
const MAX_SHOWN_WORD_LENGTH = 20;

const ALTERNATIVES = new Intl.ListFormat('en', { type: 'disjunction' });

/** An error for an invalid argument. Texts and objects are named by their type only: they may be long, or a secret. */
export function invalidValue(name: string, expected: string, given: unknown): InvalidArgumentError {
  return mismatch(name, expected, describe(given));
}

/** @throws {@link InvalidArgumentError} unless it is a number from `min` to `max`; by default any finite one from `min` */
export function readNumber(name: string, given: unknown, min: number, max = Number.MAX_VALUE): number {
  if (typeof given !== 'number' || !(given >= min && given <= max)) {
    throw invalidValue(name, describeRange(min, max), given);
  }
  return given;
}

/** @throws {@link InvalidArgumentError} unless it is one of `words` */
export function readEnum<T extends string>(name: string, given: unknown, words: readonly T[]): T {
  const word = words.find((one) => one === given);
  if (word === undefined) {
    const isShown = typeof given === 'string' && given.length <= MAX_SHOWN_WORD_LENGTH;
    const expected = ALTERNATIVES.format(words.map((one) => `"${one}"`));
    throw mismatch(name, expected, isShown ? JSON.stringify(given) : describe(given));
  }
  return word;
}

/** @throws {@link InvalidArgumentError} unless it is true or false */
export function readBoolean(name: string, given: unknown): boolean {
  if (typeof given !== 'boolean') {
    throw invalidValue(name, 'true or false', given);
  }
  return given;
}

/** @throws {@link InvalidArgumentError} unless it is a function or undefined */
export function readFunction<F>(name: string, given: F): F {
  if (given !== undefined && typeof given !== 'function') {
    throw invalidValue(name, 'a function', given);
  }
  return given;
}

/** @throws {@link InvalidArgumentError} unless it has properties to read */
export function readObject<T>(name: string, given: T): T {
  if (typeof given !== 'object' || given === null) {
    throw invalidValue(name, 'an object', given);
  }
  return given;
}

function mismatch(name: string, expected: string, received: string): InvalidArgumentError {
  return new InvalidArgumentError(`${name} must be ${expected}, received ${received}.`);
}

function describeRange(min: number, max: number): string {
  switch (max) {
    case Infinity:
      return `a number of at least ${String(min)}`;
    case Number.MAX_VALUE:
      return `a finite number of at least ${String(min)}`;
    default:
      return `a number between ${String(min)} and ${String(max)}`;
  }
}

function describe(value: unknown): string {
  switch (typeof value) {
    case 'number':
    case 'boolean':
    case 'undefined':
      return String(value);
    case 'object':
      if (value === null) {
        return 'null';
      }
      return Array.isArray(value) ? 'an array' : 'an object';
    default:
      return `a ${typeof value}`;
  }
}
