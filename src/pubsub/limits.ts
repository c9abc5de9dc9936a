import { InvalidArgumentError } from './errors.js';

const DEFAULTS = {
  connectTimeout: 10_000,
  commandTimeout: 2_000,
  maxQueuedMessages: 10_000,
  bufferLimit: 10_000,
};

/** The longest that a timer of Node can wait, in ms; a longer one would not wait at all. */
const HIGHEST = 2 ** 31 - 1;

/** The numbers of the options, with every default filled in; see {@link ClusterConnectionOptions} for units. */
export type Limits = Readonly<typeof DEFAULTS>;

/** @throws {@link InvalidArgumentError} for what is no such number */
export function readLimits(given: Partial<Record<keyof Limits, number | undefined>>): Limits {
  const limits = { ...DEFAULTS };
  for (const name of Object.keys(DEFAULTS) as (keyof Limits)[]) {
    const value: unknown = given[name] ?? DEFAULTS[name];
    if (typeof value !== 'number' || !(value >= 1 && value <= HIGHEST)) {
      throw new InvalidArgumentError(
        `${name} is a number from 1 to ${String(HIGHEST)}, not ${String(value)}.`,
      );
    }
    limits[name] = value;
  }
  return limits;
}
