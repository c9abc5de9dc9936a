import { channelKey } from '../channel-key.js';
import { InvalidArgumentError } from '../errors.js';
import { LONGEST_TIMER } from '../limits.js';
import type { ChannelName } from '../options.js';
import { checkName } from '../subscribe-arguments.js';
import type { PubSubHealthOptions } from './health.js';

const DEFAULTS = {
  minSubscribers: 0,
  maxGapAge: 0,
  unconfirmedFor: 2_000,
  timeout: 1_000,
  cacheFor: 500,
  maxNames: 100,
};

/** {@link PubSubHealthOptions} with every default filled in. */
export type HealthLimits = Readonly<typeof DEFAULTS> & {
  readonly probe: boolean;
  readonly channels: readonly ChannelName[] | undefined;
};

/** @throws {@link InvalidArgumentError} for what cannot work */
export function readHealthOptions(given: PubSubHealthOptions): HealthLimits {
  const limits = { ...DEFAULTS };
  for (const name of Object.keys(DEFAULTS) as (keyof typeof DEFAULTS)[]) {
    const value: unknown = given[name] ?? DEFAULTS[name];
    const lowest = name === 'timeout' ? 1 : 0;
    if (typeof value !== 'number' || !(value >= lowest && value <= LONGEST_TIMER)) {
      throw new InvalidArgumentError(
        `${name} of health() is a number from ${String(lowest)} to ${String(LONGEST_TIMER)}, not ${String(value)}.`,
      );
    }
    limits[name] = value;
  }
  if (given.channels !== undefined && !Array.isArray(given.channels)) {
    throw new InvalidArgumentError('channels of health() is a list of names.');
  }
  return { ...limits, probe: given.probe ?? false, channels: given.channels?.map(checkName) };
}

/** The same for those who ask the same. */
export function keyOf(limits: HealthLimits): string {
  return JSON.stringify({ ...limits, channels: limits.channels?.map(channelKey) });
}
