import type { Payload } from '../common/messages.js';
import { spells } from '../../util/bytes.js';

/**
 * What a stamp, `<publisher>.<epoch>.<seq>`, says of a message, and the message without it.
 *
 * Within one stream (`<publisher>.<epoch>`) the sequence starts at 0 and leaves nothing out, so that a receiver can
 * tell a message that is missing from one that came twice.
 */
export interface SequencedPayload {
  readonly stream: string;
  readonly seq: number;
  /** What the reader shall see. */
  readonly data: Buffer;
}

/** A text that has a place for its stamp: so it is put together once, when its number is known. */
export interface StampableText {
  withStamp(stamp: string): string;
}

export type OutgoingPayload = Payload | StampableText;

/** How a payload carries its stamp. */
export interface StampCodec {
  /** Whether it can carry one. One that cannot must take no number either, or receivers would miss it. */
  supports(payload: OutgoingPayload): boolean;
  /** The payload with its stamp; as it is, if it cannot carry one. */
  encode(payload: OutgoingPayload, stamp: string): Payload;
  /** `undefined`: it has no stamp, for another program published it. Bytes are not copied. */
  decode(data: Buffer): SequencedPayload | undefined;
}

/** A payload that goes out without a number. */
export function unstamped(payload: OutgoingPayload): Payload {
  return isStampableText(payload) ? payload.withStamp('') : payload;
}

export function isStampableText(payload: OutgoingPayload): payload is StampableText {
  return typeof payload !== 'string' && 'withStamp' in payload;
}

/** The bytes of an envelope: these, the length of the stamp in one byte, the stamp, the payload. */
const MAGIC = '\x01cps';
const HEAD = MAGIC.length + 1;

/** For payloads of any form: the stamp goes before them, in an envelope that no text looks like. */
export const PREFIX_CODEC: StampCodec = {
  supports: () => true,

  encode(outgoing, stamp) {
    const payload = unstamped(outgoing);
    // All of it is ASCII, so that a text stays one, with the same bytes: a socket writes text cheaper than chunks.
    const head = `${MAGIC}${String.fromCharCode(stamp.length)}${stamp}`;
    if (typeof payload === 'string') {
      return head + payload;
    }
    const sealed = Buffer.allocUnsafe(head.length + payload.length);
    sealed.write(head, 'latin1');
    sealed.set(payload, head.length);
    return sealed;
  },

  decode(data) {
    if (data[0] !== 0x01 || data[1] !== 0x63 || data[2] !== 0x70 || data[3] !== 0x73) {
      return undefined;
    }
    const end = HEAD + (data[4] ?? 0);
    // A view of the payload is made of what is known to have a stamp only.
    const stamp = readStamp(data, HEAD, end);
    return stamp && { stream: stamp.stream, seq: stamp.seq, data: data.subarray(end) };
  },
};

/** @returns `undefined` for what is no stamp. */
export function parseStamp(text: string): Pick<SequencedPayload, 'stream' | 'seq'> | undefined {
  const bytes = Buffer.from(text);
  return readStamp(bytes, 0, bytes.length);
}

/** The most characters that a publisher has, and a number in base 36. */
const LONGEST_PUBLISHER = 24;
const LONGEST_NUMBER = 11;
export const LONGEST_STAMP = LONGEST_PUBLISHER + 1 + LONGEST_NUMBER + 1 + LONGEST_NUMBER;

const DOT = 0x2e;
/** What each byte is worth as a digit of base 36; `NAME` may stand in the publisher only, `NONE` nowhere. */
const NAME = 36;
const NONE = 37;
const WORTH = worths('0123456789abcdefghijklmnopqrstuvwxyz', 'ABCDEFGHIJKLMNOPQRSTUVWXYZ-_');

/**
 * Reads the stamp that fills the bytes from `start` to `end`; `data` of the result is all of them. `undefined` if they
 * are no stamp, or reach beyond the data.
 */
export function readStamp(data: Buffer, start: number, end: number): SequencedPayload | undefined {
  if (end > data.length || end - start > LONGEST_STAMP) {
    return undefined;
  }
  const publisherEnd = runOf(data, start, end, NAME);
  const epochEnd = data[publisherEnd] === DOT ? runOf(data, publisherEnd + 1, end, NAME - 1) : -1;
  const seqEnd = data[epochEnd] === DOT ? runOf(data, epochEnd + 1, end, NAME - 1) : -1;
  if (
    !isWithin(publisherEnd - start, LONGEST_PUBLISHER) ||
    !isWithin(epochEnd - publisherEnd - 1, LONGEST_NUMBER) ||
    !isWithin(seqEnd - epochEnd - 1, LONGEST_NUMBER) ||
    seqEnd !== end
  ) {
    return undefined;
  }
  let seq = 0;
  for (let at = epochEnd + 1; at < end; at += 1) {
    seq = seq * 36 + (WORTH[data[at] as number] as number);
  }
  return Number.isSafeInteger(seq) ? { stream: streamName(data, start, epochEnd), seq, data } : undefined;
}

/** Where the bytes stop to be worth `most` or less. */
function runOf(data: Buffer, start: number, end: number, most: number): number {
  let at = start;
  while (at < end && (WORTH[data[at] as number] as number) <= most) {
    at += 1;
  }
  return at;
}

function isWithin(length: number, most: number): boolean {
  return length >= 1 && length <= most;
}

function worths(digits: string, others: string): Uint8Array {
  return Uint8Array.from({ length: 256 }, (_, byte) => {
    const character = String.fromCharCode(byte);
    const digit = digits.indexOf(character);
    if (digit >= 0) {
      return digit;
    }
    return others.includes(character) ? NAME : NONE;
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
