import { InvalidArgumentError } from './errors.js';

const DEFAULTS = {
  connectTimeout: 10_000,
  commandTimeout: 2_000,
  maxQueuedMessages: 10_000,
  bufferLimit: 10_000,
};

/** The numbers of the options, with every default filled in; see {@link ClusterConnectionOptions} for units. */
export type Limits = Readonly<typeof DEFAULTS>;

/** @throws {@link InvalidArgumentError} for what is not a number above 0 */
export function readLimits(given: Partial<Record<keyof Limits, number | undefined>>): Limits {
  const limits = { ...DEFAULTS };
  for (const name of Object.keys(DEFAULTS) as (keyof Limits)[]) {
    const value: unknown = given[name] ?? DEFAULTS[name];
    if (typeof value !== 'number' || !Number.isFinite(value) || value <= 0) {
      throw new InvalidArgumentError(`${name} is a number above 0, not ${String(value)}.`);
    }
    limits[name] = value;
  }
  return limits;
}
