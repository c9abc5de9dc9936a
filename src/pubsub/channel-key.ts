import calculateSlot from 'cluster-key-slot';
import type { ChannelName } from './options.js';

/**
 * A channel or pattern as the engine's books hold it: its bytes, one character each (latin1). Channel names are
 * arbitrary bytes to Redis; UTF-8 decoding would make different invalid names equal, and decoding latin1 is cheaper.
 */
export type ChannelKey = string & { readonly __brand: 'ChannelKey' };

// eslint-disable-next-line no-control-regex -- ASCII is defined by its control characters too
const ASCII = /^[\x00-\x7f]*$/;

export function channelKey(name: ChannelName): ChannelKey {
  if (typeof name !== 'string') {
    return name.toString('latin1') as ChannelKey;
  }
  return (ASCII.test(name) ? name : Buffer.from(name, 'utf8').toString('latin1')) as ChannelKey;
}

export function keyOfBytes(bytes: Buffer): ChannelKey {
  return bytes.toString('latin1') as ChannelKey;
}

export function bytesOfKey(key: ChannelKey): Buffer {
  return Buffer.from(key, 'latin1');
}

/** The hash slot (0–16383) of a channel, by the rule of keys: what stands in `{…}` counts, where it is not empty. */
export function slotOf(name: ChannelName): number {
  return calculateSlot(name);
}

export function displayName(name: ChannelName): string {
  return typeof name === 'string' ? name : name.toString('utf8');
}
