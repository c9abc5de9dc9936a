import { isAt } from '../../util/bytes.js';
import { GenerationalCache } from '../../util/generational-cache.js';
import { MAX_STAMP_BYTES } from '../../pubsub/ordering/sequence-stamp.js';
import { FIELDS_KEY, isWireFields, type Frame, type WireFields } from './frame-fields.js';

const QUOTE = 0x22;
const COMMA = 0x2c;
const OPENING_BRACE = 0x7b;
const BACKSLASH = 0x5c;
const CLOSING_BRACE = 0x7d;
const FIELD = Buffer.from('"s":"');
const BEGINNING = Buffer.from(`,"${FIELDS_KEY}":{`);

/** Longer ones have headers, which differ with each message. In bytes. */
const LONGEST_TAIL = 160;

/** What the tails said that were read before; by their bytes, as latin1. */
const known = new GenerationalCache<WireFields>(512);

/**
 * Reads a frame with a stamp: our key is its last, the stamp the last field in that, and all before the stamp is the
 * same in each request of a client and in each reply. So that is parsed once, and the packet alone is parsed with each
 * message: a third of what reading a frame costs.
 *
 * `undefined`: it looks otherwise, and has to be parsed as a whole.
 *
 * @internal
 */
export function decodeFast(data: Buffer): Frame | undefined {
  const stamp = startOfStamp(data);
  const comma = stamp === undefined ? undefined : startOfKey(data, stamp);
  if (stamp === undefined || comma === undefined) {
    return undefined;
  }
  const fields = readTail(data, comma, stamp);
  if (fields === undefined) {
    return undefined;
  }
  const packet = parsePacket(data, comma);
  if (typeof packet !== 'object' || packet === null || Object.hasOwn(packet, FIELDS_KEY)) {
    return undefined;
  }
  return { fields, packet: fields.w === 1 ? (packet as { packet?: unknown }).packet : packet };
}

/** Where the stamp begins, the last value of the last object of the frame. */
function startOfStamp(data: Buffer): number | undefined {
  const end = data.length - 3;
  if (
    data[0] !== OPENING_BRACE ||
    data[end] !== QUOTE ||
    data[end + 1] !== CLOSING_BRACE ||
    data[end + 2] !== CLOSING_BRACE
  ) {
    return undefined;
  }
  for (let at = end - 1; at >= end - 1 - MAX_STAMP_BYTES; at -= 1) {
    if (data[at] === QUOTE) {
      return isAt(data, at + 1 - FIELD.length, FIELD) ? at + 1 : undefined;
    }
    if (data[at] === BACKSLASH) {
      return undefined; // the quote at the end was none
    }
  }
  return undefined;
}

/** Where the comma is before our key, at most so far from the stamp. */
function startOfKey(data: Buffer, stamp: number): number | undefined {
  for (let at = stamp - BEGINNING.length; at >= Math.max(stamp - LONGEST_TAIL, 1); at -= 1) {
    if (data[at] === COMMA && isAt(data, at, BEGINNING)) {
      return at;
    }
  }
  return undefined;
}

function readTail(data: Buffer, comma: number, stamp: number): WireFields | undefined {
  const key = data.toString('latin1', comma, stamp);
  const fields = known.get(key);
  if (fields !== undefined) {
    return fields;
  }
  const parsed = parse(`{${data.toString('utf8', comma + 1, stamp)}"}}`) as
    Readonly<Record<string, unknown>> | undefined;
  const found = parsed?.[FIELDS_KEY];
  // Another writer may have put keys behind ours.
  if (parsed === undefined || Object.keys(parsed).length !== 1 || !isWireFields(found)) {
    return undefined;
  }
  if (found.h === undefined) {
    known.add(key, Object.freeze(found)); // headers are handed out, and may be written to
  }
  return found;
}

/** The frame without our key. The comma before it stands in for the brace meanwhile, to save a copy. */
function parsePacket(data: Buffer, comma: number): unknown {
  data[comma] = CLOSING_BRACE;
  const text = data.toString('utf8', 0, comma + 1);
  data[comma] = COMMA;
  return parse(text);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
