import { invalidValue, MAX_TIMER_MS, readEnum, readNumber } from '../common/validation.js';
import { type ChannelName, checkName } from '../common/channel-name.js';
import type { PubSubHealthOptions, PubSubHealthProfile } from './health-types.js';

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
export type HealthLimits = Readonly<typeof HEALTH_DEFAULTS> & {
  readonly probe: boolean;
  readonly for: PubSubHealthProfile;
};

const PROFILES: readonly PubSubHealthProfile[] = ['people', 'readiness', 'liveness'];

/** @throws {@link InvalidArgumentError} for a number out of range, and for an unknown profile */
export function readHealthLimits(given: PubSubHealthOptions): HealthLimits {
  const profile = readEnum('health(): for', given.for ?? 'people', PROFILES);
  const limits = { ...HEALTH_DEFAULTS, probe: given.probe ?? false, for: profile };
  for (const name of NUMBERS) {
    const min = name === 'timeout' ? 1 : 0;
    limits[name] = readNumber(`health(): ${name}`, given[name] ?? HEALTH_DEFAULTS[name], min, MAX_TIMER_MS);
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
    throw invalidValue('health(): channels', 'an array of names', given);
  }
  return given?.map((name) => (typeof name === 'string' ? name : Buffer.from(checkName(name))));
}
