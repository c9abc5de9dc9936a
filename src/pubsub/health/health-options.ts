import { InvalidArgumentError } from '../common/errors.js';
import { MAX_TIMER_MS } from '../common/validation.js';
import { type ChannelName, checkName } from '../common/channel-name.js';
import { errorMessage } from '../../util/error-message.js';
import type { PubSubHealthOptions } from './health-types.js';

export const HEALTH_DEFAULTS = {
  minSubscribers: 0,
  maxGapAge: 0,
  confirmationTimeout: 2_000,
  timeout: 1_000,
  cacheTtl: 1_000,
  maxNames: 100,
};

const NUMBERS = Object.keys(HEALTH_DEFAULTS) as (keyof typeof HEALTH_DEFAULTS)[];

/** The options except `channels`, with every default filled in. */
export type HealthLimits = Readonly<typeof HEALTH_DEFAULTS> & { readonly probe: boolean };

/** @throws {@link InvalidArgumentError} for a number out of range */
export function readHealthLimits(given: PubSubHealthOptions): HealthLimits {
  const limits = { ...HEALTH_DEFAULTS, probe: given.probe ?? false };
  for (const name of NUMBERS) {
    const value: unknown = given[name] ?? HEALTH_DEFAULTS[name];
    const lowest = name === 'timeout' ? 1 : 0;
    if (typeof value !== 'number' || !(value >= lowest && value <= MAX_TIMER_MS)) {
      throw new InvalidArgumentError(
        `${name} of health() must be a number from ${String(lowest)} to ${String(MAX_TIMER_MS)}, received ${errorMessage(value)}.`,
      );
    }
    limits[name] = value;
  }
  return limits;
}

/**
 * A copy, because the caller may change the list, or bytes in it, while the check runs.
 *
 * @throws {@link InvalidArgumentError} for anything but a list of names
 */
export function readWatchedChannels(
  given: readonly ChannelName[] | undefined,
): readonly ChannelName[] | undefined {
  if (given !== undefined && !Array.isArray(given)) {
    throw new InvalidArgumentError('channels of health() must be a list of names.');
  }
  return given?.map((name) => (typeof name === 'string' ? name : Buffer.from(checkName(name))));
}
