import { InvalidArgumentError } from './errors.js';
import type { OverflowPolicy } from './options.js';

const DEFAULTS = {
  connectTimeout: 10_000,
  commandTimeout: 2_000,
  maxQueuedMessages: 10_000,
  bufferLimit: 10_000,
  probeInterval: 1_000,
  probeTimeout: 1_000,
  settleWindow: 500,
};

/** Those that 0 turns off. */
const MAY_BE_ZERO: readonly string[] = ['probeInterval', 'settleWindow'];

/** The longest that a timer of Node can wait, in ms; a longer one would not wait at all. */
const HIGHEST = 2 ** 31 - 1;

/** The numbers of the options, with every default filled in; see {@link ClusterConnectionOptions} for units. */
export type Limits = Readonly<typeof DEFAULTS>;

/** @throws {@link InvalidArgumentError} for what is no such number */
export function readLimits(given: Partial<Record<keyof Limits, number | undefined>>): Limits {
  const limits = { ...DEFAULTS };
  for (const name of Object.keys(DEFAULTS) as (keyof Limits)[]) {
    const value: unknown = given[name] ?? DEFAULTS[name];
    const lowest = MAY_BE_ZERO.includes(name) ? 0 : 1;
    if (typeof value !== 'number' || !(value >= lowest && value <= HIGHEST)) {
      throw new InvalidArgumentError(
        `${name} is a number from ${String(lowest)} to ${String(HIGHEST)}, not ${String(value)}.`,
      );
    }
    limits[name] = value;
  }
  return limits;
}

/** @throws {@link InvalidArgumentError} for any other word */
export function readOverflowPolicy(given: unknown): OverflowPolicy {
  if (given === undefined || given === 'reject' || given === 'drop-oldest') {
    return given ?? 'reject';
  }
  throw new InvalidArgumentError('onOverflow is "reject" or "drop-oldest".');
}
