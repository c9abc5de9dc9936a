import { isUtf8 } from 'node:buffer';
import calculateSlot from 'cluster-key-slot';
import { invalidValue } from './validation.js';

/** A channel or pattern: a string stands for its UTF-8 bytes, a `Buffer` for itself. */
export type ChannelName = string | Buffer;

/**
 * A channel or pattern as a key of maps: its bytes, one character each (latin1). Channel names are arbitrary bytes to
 * Redis; decoding them as UTF-8 would make different invalid names equal, and latin1 is cheaper to decode.
 */
export type ChannelKey = string & { readonly __brand: 'ChannelKey' };

/** Part of the name of every probe channel, so that lists of channels can leave them out. */
export const PROBE_MARK = '_cps:probe:';

// eslint-disable-next-line no-control-regex -- ASCII is defined by its control characters too
const ASCII = /^[\x00-\x7f]*$/;

export function checkName(name: unknown): ChannelName {
  if (typeof name !== 'string' && !Buffer.isBuffer(name)) {
    throw invalidValue('A channel name', 'a string or a Buffer', name);
  }
  return name;
}

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

/** The hash slot (0–16383) of a channel, computed like that of a key: from the text in `{…}` unless that is empty. */
export function slotOf(name: ChannelName): number {
  // Hash the bytes that are sent: a lone surrogate is sent as U+FFFD, unlike in cluster-key-slot.
  const sent = typeof name !== 'string' || ASCII.test(name) ? name : Buffer.from(name, 'utf8');
  const open = sent.indexOf('{');
  if (open !== -1 && sent.indexOf('}', open) === open + 1) {
    // With an empty `{}` Redis hashes the whole name; cluster-key-slot (1.1.2) looks for another tag instead.
    return crc16(Buffer.from(sent)) % 16_384;
  }
  return calculateSlot(sent);
}

/**
 * The first of the names with the tags 0, 1, … that is accepted. A hash tag moves a name to another slot, so that some tag
 * gives a name whose slot a wanted node owns.
 */
export function findTaggedName(
  nameOf: (tag: string) => string,
  accepts: (name: string) => boolean,
  maxTags: number,
): string | undefined {
  for (let tag = 0; tag < maxTags; tag += 1) {
    const name = nameOf(String(tag));
    if (accepts(name)) {
      return name;
    }
  }
  return undefined;
}

/** CRC-16/XMODEM, as Redis Cluster uses it. */
function crc16(bytes: Uint8Array): number {
  let crc = 0;
  for (const byte of bytes) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit += 1) {
      crc = (crc & 0x8000) === 0 ? crc << 1 : (crc << 1) ^ 0x1021;
    }
  }
  return crc & 0xffff;
}

/** A glob of Redis that matches this text alone. */
export function escapeGlob(text: string): string {
  return text.replace(/[*?[\]\\]/g, '\\$&');
}

export function displayName(name: ChannelName): string {
  return typeof name === 'string' ? name : name.toString('utf8');
}

/** Like {@link displayName}, but unique: bytes that are not UTF-8 are written as `\xff`. */
export function distinctName(key: ChannelKey): string {
  const bytes = bytesOfKey(key);
  if (isUtf8(bytes)) {
    return bytes.toString('utf8');
  }
  // eslint-disable-next-line no-control-regex -- as above
  return key.replace(/[^\x00-\x7f]/g, (byte) => `\\x${byte.charCodeAt(0).toString(16)}`);
}
