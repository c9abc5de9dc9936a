import type { Payload } from '../common/messages.js';
import { spells } from '../../util/bytes.js';

/**
 * The fields of a stamp, `<publisher>.<epoch>.<seq>`, and the message without it.
 *
 * Within one stream (`<publisher>.<epoch>`) the sequence starts at 0 and skips no number, so that a receiver can detect
 * missing messages and duplicates.
 */
export interface SequencedPayload {
  readonly stream: string;
  readonly seq: number;
  /** The payload as it was published. */
  readonly data: Buffer;
}

/** A text with a place for its stamp, so that it is assembled once, when its number is known. */
export interface StampableText {
  withStamp(stamp: string): string;
}

export type OutgoingPayload = Payload | StampableText;

/** Puts stamps into payloads and reads them back. */
export interface StampCodec {
  /** Returns whether the payload can carry a stamp. If not, it must not use up a number: receivers would miss it. */
  supports(payload: OutgoingPayload): boolean;
  /** Returns the payload with its stamp, or as it is if it cannot carry one. */
  encode(payload: OutgoingPayload, stamp: string): Payload;
  /** Returns `undefined` without a stamp: another program published it. Bytes are not copied. */
  decode(data: Buffer): SequencedPayload | undefined;
}

/** Returns the payload without a number. */
export function unstamped(payload: OutgoingPayload): Payload {
  return isStampableText(payload) ? payload.withStamp('') : payload;
}

export function isStampableText(payload: OutgoingPayload): payload is StampableText {
  return typeof payload !== 'string' && 'withStamp' in payload;
}

/** An envelope consists of these bytes, the length of the stamp in one byte, the stamp, and the payload. */
const MAGIC = '\x01cps';
const HEAD_BYTES = MAGIC.length + 1;

/** For payloads of any form: an envelope, which no text resembles, puts the stamp in front. */
export const PREFIX_CODEC: StampCodec = {
  supports: () => true,

  encode(outgoing, stamp) {
    const payload = unstamped(outgoing);
    // All ASCII, so that text stays text with the same bytes: a socket writes text cheaper than chunks.
    const head = `${MAGIC}${String.fromCharCode(stamp.length)}${stamp}`;
    if (typeof payload === 'string') {
      return head + payload;
    }
    const encoded = Buffer.allocUnsafe(head.length + payload.length);
    encoded.write(head, 'latin1');
    encoded.set(payload, head.length);
    return encoded;
  },

  decode(data) {
    if (data[0] !== 0x01 || data[1] !== 0x63 || data[2] !== 0x70 || data[3] !== 0x73) {
      return undefined;
    }
    const end = HEAD_BYTES + (data[4] ?? 0);
    const stamp = readStamp(data, HEAD_BYTES, end);
    return stamp && { stream: stamp.stream, seq: stamp.seq, data: data.subarray(end) };
  },
};

/** Reads a text that is a stamp as a whole; returns `undefined` for any other text. */
export function parseStamp(text: string): Pick<SequencedPayload, 'stream' | 'seq'> | undefined {
  const bytes = Buffer.from(text);
  return readStamp(bytes, 0, bytes.length);
}

/** The longest publisher id, and the longest number in base 36. */
const MAX_PUBLISHER_BYTES = 24;
const MAX_NUMBER_BYTES = 11;
export const MAX_STAMP_BYTES = MAX_PUBLISHER_BYTES + 1 + MAX_NUMBER_BYTES + 1 + MAX_NUMBER_BYTES;

const DOT = 0x2e;
/** The value of each byte as a digit of base 36; `NAME_ONLY` is allowed in the publisher only, `INVALID` nowhere. */
const NAME_ONLY = 36;
const INVALID = 37;
const DIGITS = digitsOf('0123456789abcdefghijklmnopqrstuvwxyz', 'ABCDEFGHIJKLMNOPQRSTUVWXYZ-_');

/**
 * Reads the stamp that fills the bytes from `start` to `end`; `data` of the result is the given buffer. Returns
 * `undefined` if they are not a stamp, or reach beyond the buffer.
 */
export function readStamp(data: Buffer, start: number, end: number): SequencedPayload | undefined {
  if (end > data.length || end - start > MAX_STAMP_BYTES) {
    return undefined;
  }
  const publisherEnd = endOfRun(data, start, end, NAME_ONLY);
  const epochEnd = data[publisherEnd] === DOT ? endOfRun(data, publisherEnd + 1, end, NAME_ONLY - 1) : -1;
  const seqEnd = data[epochEnd] === DOT ? endOfRun(data, epochEnd + 1, end, NAME_ONLY - 1) : -1;
  if (
    !isWithin(publisherEnd - start, MAX_PUBLISHER_BYTES) ||
    !isWithin(epochEnd - publisherEnd - 1, MAX_NUMBER_BYTES) ||
    !isWithin(seqEnd - epochEnd - 1, MAX_NUMBER_BYTES) ||
    seqEnd !== end
  ) {
    return undefined;
  }
  let seq = 0;
  for (let at = epochEnd + 1; at < end; at += 1) {
    seq = seq * 36 + (DIGITS[data[at] as number] as number);
  }
  return Number.isSafeInteger(seq) ? { stream: streamName(data, start, epochEnd), seq, data } : undefined;
}

/** Returns the end of the run of bytes with a value of at most `max`. */
function endOfRun(data: Buffer, start: number, end: number, max: number): number {
  let at = start;
  while (at < end && (DIGITS[data[at] as number] as number) <= max) {
    at += 1;
  }
  return at;
}

function isWithin(length: number, max: number): boolean {
  return length >= 1 && length <= max;
}

function digitsOf(digits: string, nameOnly: string): Uint8Array {
  return Uint8Array.from({ length: 256 }, (_, byte) => {
    const character = String.fromCharCode(byte);
    const digit = digits.indexOf(character);
    if (digit >= 0) {
      return digit;
    }
    return nameOnly.includes(character) ? NAME_ONLY : INVALID;
  });
}

/** Names of streams, each at an index derived from its bytes. */
const streamNames = new Array<string | undefined>(256);

/**
 * The name of a stream as a string. The same few names recur in every stamp: comparing bytes is cheaper than creating
 * another string, and a string that is used again is found faster in a map.
 */
function streamName(data: Buffer, start: number, end: number): string {
  const mixed = (data[start] ?? 0) + 31 * (data[start + 1] ?? 0) + 7 * (data[end - 1] ?? 0);
  const index = mixed % streamNames.length;
  const known = streamNames[index];
  if (known !== undefined && spells(data, start, end, known)) {
    return known;
  }
  const name = data.toString('latin1', start, end);
  streamNames[index] = name;
  return name;
}
