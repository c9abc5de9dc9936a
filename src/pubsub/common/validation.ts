import { InvalidArgumentError } from './errors.js';
import type { OverflowPolicy } from './options.js';

const DEFAULTS = {
  connectTimeout: 10_000,
  commandTimeout: 2_000,
  maxQueuedMessages: 10_000,
  bufferLimit: 10_000,
  probeInterval: 1_000,
  probeTimeout: 1_000,
  slotMigrationTimeout: 500,
};

/** Those that 0 turns off. */
const MAY_BE_ZERO: readonly string[] = ['probeInterval', 'slotMigrationTimeout'];

/** The longest that a timer of Node can wait, in ms; a longer one would not wait at all. */
export const MAX_TIMER_MS = 2 ** 31 - 1;

/** The numbers of the options, with every default filled in; see {@link ClusterConnectionOptions} for units. */
export type Limits = Readonly<typeof DEFAULTS>;

/** @throws {@link InvalidArgumentError} for what is no such number */
export function readLimits(given: Partial<Record<keyof Limits, number | undefined>>): Limits {
  const limits = { ...DEFAULTS };
  for (const name of Object.keys(DEFAULTS) as (keyof Limits)[]) {
    const value: unknown = given[name] ?? DEFAULTS[name];
    const lowest = MAY_BE_ZERO.includes(name) ? 0 : 1;
    if (typeof value !== 'number' || !(value >= lowest && value <= MAX_TIMER_MS)) {
      throw new InvalidArgumentError(
        `${name} is a number from ${String(lowest)} to ${String(MAX_TIMER_MS)}, not ${String(value)}.`,
      );
    }
    limits[name] = value;
  }
  return limits;
}

/**
 * The one of `words` that was given, or the first.
 *
 * @throws {@link InvalidArgumentError} for any other word
 */
export function readChoice<T extends string>(name: string, given: unknown, words: readonly [T, ...T[]]): T {
  const choice = given === undefined ? words[0] : words.find((word) => word === given);
  if (choice === undefined) {
    throw new InvalidArgumentError(`${name} is ${words.map((word) => `"${word}"`).join(' or ')}.`);
  }
  return choice;
}

export function readOverflowPolicy(given: unknown): OverflowPolicy {
  return readChoice('onOverflow', given, ['reject', 'drop-oldest']);
}

/** @throws {@link InvalidArgumentError} for what is neither true nor false, where it was given */
export function checkBoolean(name: string, given: unknown): void {
  if (given !== undefined && typeof given !== 'boolean') {
    throw new InvalidArgumentError(
      `${name} is true or false, not ${given === null ? 'null' : `a ${typeof given}`}.`,
    );
  }
}

/** @throws {@link InvalidArgumentError} for what has no properties to read */
export function checkOptions(what: string, given: unknown): void {
  if (typeof given !== 'object' || given === null) {
    throw new InvalidArgumentError(`${what} are an object, not ${given === null ? 'null' : typeof given}.`);
  }
}
