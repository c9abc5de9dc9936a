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

/** The options but for the channels, with every default filled in. */
export type HealthLimits = Readonly<typeof HEALTH_DEFAULTS> & { readonly probe: boolean };

/** @throws {@link InvalidArgumentError} for what cannot work */
export function readHealthLimits(given: PubSubHealthOptions): HealthLimits {
  const limits = { ...HEALTH_DEFAULTS, probe: given.probe ?? false };
  for (const name of NUMBERS) {
    const value: unknown = given[name] ?? HEALTH_DEFAULTS[name];
    const lowest = name === 'timeout' ? 1 : 0;
    if (typeof value !== 'number' || !(value >= lowest && value <= MAX_TIMER_MS)) {
      throw new InvalidArgumentError(
        `${name} of health() is a number from ${String(lowest)} to ${String(MAX_TIMER_MS)}, not ${errorMessage(value)}.`,
      );
    }
    limits[name] = value;
  }
  return limits;
}

export function sameLimits(one: HealthLimits, other: HealthLimits): boolean {
  return one.probe === other.probe && NUMBERS.every((name) => one[name] === other[name]);
}

/**
 * Copied, for the list may be changed before it is compared.
 *
 * @throws {@link InvalidArgumentError} for what is no list of names
 */
export function readWatchedChannels(
  given: readonly ChannelName[] | undefined,
): readonly ChannelName[] | undefined {
  if (given !== undefined && !Array.isArray(given)) {
    throw new InvalidArgumentError('channels of health() is a list of names.');
  }
  return given?.map((name) => (typeof name === 'string' ? name : Buffer.from(checkName(name))));
}

/** Whether `given` names what was copied. Cheap where it holds the very strings that it held then. */
export function sameChannels(
  copied: readonly ChannelName[] | undefined,
  given: readonly ChannelName[] | undefined,
): boolean {
  if (copied === undefined || !Array.isArray(given)) {
    return copied === given;
  }
  if (copied.length !== given.length) {
    return false;
  }
  // A plain loop: there may be very many, 200 times a second.
  for (let index = 0; index < copied.length; index += 1) {
    const name: unknown = copied[index];
    const other: unknown = given[index];
    if (name !== other && !(Buffer.isBuffer(name) && Buffer.isBuffer(other) && name.equals(other))) {
      return false;
    }
  }
  return true;
}
