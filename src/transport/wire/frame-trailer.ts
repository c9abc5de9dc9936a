import { MAX_STAMP_BYTES, type StampableText } from '../../pubsub/ordering/sequence-stamp.js';
import { isAt } from '../../util/bytes.js';
import { GenerationalCache } from '../../util/generational-cache.js';
import { FIELDS_KEY, isWireFields, type WireFields } from './frame-fields.js';

const QUOTE = 0x22;
const COMMA = 0x2c;
const OPENING_BRACE = 0x7b;
const BACKSLASH = 0x5c;

const KEY = Buffer.from(`"${FIELDS_KEY}":{`);
const STAMP_FIELD = Buffer.from('"s":"');
const AFTER_STAMP = '"}}';
const AFTER_STAMP_BYTES = Buffer.from(AFTER_STAMP);

/** Longer trailers have headers, which differ with each message. */
const MAX_CACHED_TRAILER_BYTES = 160;
const MAX_CACHED_TRAILERS = 512;

/**
 * The end of a JSON frame: our fields, as the last key. Encoded once where the fields are the same in each frame.
 *
 * `stamped`: the engine puts a stamp on the frame as it is written, as the last field of our key. A JSON frame then has
 * our key in any case; a binary frame needs none.
 *
 * @internal
 */
export class FrameTrailer {
  /** From our key on, up to the stamp if there is to be one. Undefined: the frame has no fields. */
  readonly text: string | undefined;

  constructor(
    readonly fields: WireFields | undefined,
    readonly stamped: boolean,
  ) {
    const json = fields === undefined ? '{}' : JSON.stringify(fields);
    if (stamped) {
      this.text = `"${FIELDS_KEY}":${json.slice(0, -1)}${json === '{}' ? '' : ','}"s":"`;
    } else if (fields !== undefined) {
      this.text = `"${FIELDS_KEY}":${json}}`;
    }
  }

  with(fields: WireFields): FrameTrailer {
    return new FrameTrailer({ ...this.fields, ...fields }, this.stamped);
  }
}

/**
 * A JSON frame up to its stamp, which the engine adds as it writes the frame.
 *
 * @internal
 */
export class StampableFrame implements StampableText {
  static readonly BYTES_AFTER_STAMP = AFTER_STAMP.length;

  constructor(readonly head: string) {}

  withStamp(stamp: string): string {
    return `${this.head}${stamp}${AFTER_STAMP}`;
  }
}

/** Where the trailer of a frame with a stamp is, in bytes. */
export interface TrailerPosition {
  readonly keyStart: number;
  readonly stampStart: number;
  readonly stampEnd: number;
  /** False: our key is the only one. */
  readonly hasPacket: boolean;
}

/**
 * Finds the trailer without parsing: our key is the last one of the frame and the stamp its last field, so the frame
 * ends with them. A message of another program may end like a stamp (`{"file":{"s":"download.tar.gz"}}`), but has no
 * `"_cps":{` before it: in JSON, these bytes after a comma or a brace can only be our key.
 *
 * @internal
 */
export function locateTrailer(data: Buffer): TrailerPosition | undefined {
  if (data !== located.data) {
    located.data = data;
    located.position = findTrailer(data);
  }
  return located.position;
}

/** As {@link locateTrailer}, for the last reader of a frame: nothing holds it any more. */
export function takeTrailer(data: Buffer): TrailerPosition | undefined {
  const position = locateTrailer(data);
  located.data = undefined;
  return position;
}

/** The frame before: the engine reads its stamp, and at once the transport its packet. */
const located: { data: Buffer | undefined; position: TrailerPosition | undefined } = {
  data: undefined,
  position: undefined,
};

/** The length of the key and the fields before the stamp of the frame before: the same in each request of a client. */
let lengthBefore = KEY.length;

function findTrailer(data: Buffer): TrailerPosition | undefined {
  const stampEnd = data.length - AFTER_STAMP_BYTES.length;
  if (data[0] !== OPENING_BRACE || !isAt(data, stampEnd, AFTER_STAMP_BYTES)) {
    return undefined;
  }
  const earliestStart = Math.max(stampEnd - MAX_STAMP_BYTES, 0);
  let stampStart = stampEnd;
  while (stampStart > earliestStart && data[stampStart - 1] !== QUOTE) {
    stampStart -= 1;
    if (data[stampStart] === BACKSLASH) {
      return undefined; // the quote at the end is escaped
    }
  }
  const fieldStart = stampStart - STAMP_FIELD.length;
  if (!isAt(data, fieldStart, STAMP_FIELD)) {
    return undefined;
  }
  const expected = fieldStart - lengthBefore;
  const keyStart = isAt(data, expected, KEY) ? expected : keyBefore(data, fieldStart);
  lengthBefore = fieldStart - keyStart;
  const before = data[keyStart - 1];
  const hasPacket = before === COMMA;
  return hasPacket || before === OPENING_BRACE ? { keyStart, stampStart, stampEnd, hasPacket } : undefined;
}

/** The stamp follows the key at once, or other fields of ours. */
function keyBefore(data: Buffer, fieldStart: number): number {
  const directly = fieldStart - KEY.length;
  return isAt(data, directly, KEY) ? directly : data.lastIndexOf(KEY, fieldStart);
}

/** The fields of trailers that were read before, by the bytes up to the stamp, as latin1. */
const cachedFields = new GenerationalCache<WireFields>(MAX_CACHED_TRAILERS);

/**
 * The fields of a trailer. Everything before the stamp is the same in each request of a client and in each reply, so it
 * is parsed once.
 *
 * @internal
 * @returns undefined if they are too long to be cached, malformed, or followed by other keys
 */
export function readTrailerFields(data: Buffer, position: TrailerPosition): WireFields | undefined {
  const { keyStart, stampStart } = position;
  if (stampStart - keyStart >= MAX_CACHED_TRAILER_BYTES) {
    return undefined;
  }
  const key = data.toString('latin1', keyStart, stampStart);
  const cached = cachedFields.get(key);
  if (cached !== undefined) {
    return cached;
  }
  const parsed = parseObject(`{${data.toString('utf8', keyStart, stampStart)}${AFTER_STAMP}`);
  const fields = parsed?.[FIELDS_KEY];
  // Another writer may have put keys behind ours.
  if (parsed === undefined || Object.keys(parsed).length !== 1 || !isWireFields(fields)) {
    return undefined;
  }
  if (fields.h === undefined) {
    cachedFields.add(key, Object.freeze(fields)); // headers are passed to users, who may change them
  }
  return fields;
}

function parseObject(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    return JSON.parse(text) as Readonly<Record<string, unknown>>;
  } catch {
    return undefined;
  }
}
