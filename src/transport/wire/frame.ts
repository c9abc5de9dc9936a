import { types } from 'node:util';
import { InvalidArgumentError } from '../../pubsub/common/errors.js';
import {
  isStampableText,
  PREFIX_CODEC,
  readStamp,
  type StampCodec,
} from '../../pubsub/ordering/sequence-stamp.js';
import { PayloadTooLargeError } from '../common/errors.js';
import {
  FIELDS_KEY,
  isWireFields,
  NO_FIELDS,
  type BinaryField,
  type Frame,
  type WireFields,
} from './frame-fields.js';
import {
  FrameTrailer,
  locateTrailer,
  readTrailerFields,
  StampableFrame,
  takeTrailer,
} from './frame-trailer.js';
import { isTooDeep, LONGEST_SHALLOW_JSON } from './json-depth.js';

/** The first byte of a binary frame; JSON cannot begin with it. */
const BINARY_MARK = 0x00;
/** The mark and the length of the head. */
const BINARY_PREFIX_BYTES = 5;
const COMMA = 0x2c;
const OPENING_BRACE = 0x7b;
const CLOSING_BRACE = 0x7d;

/** @internal */
export type EncodedFrame = string | Buffer | StampableFrame;

/**
 * A packet in the form in which stock Nest sends it, readable for its servers and redis-cli, with our fields added as
 * the last key. A packet whose `data` or `response` is a `Uint8Array` becomes a binary frame: 0x00, the length of the
 * JSON head (4 bytes, big-endian), the head, the bytes.
 *
 * @internal
 */
export function encodeFrame(packet: unknown, trailer: FrameTrailer): EncodedFrame {
  const binaryField = binaryFieldOf(packet);
  if (binaryField !== undefined) {
    return encodeBinary(packet, binaryField, trailer.fields);
  }
  const json = stringify(packet);
  if (trailer.text === undefined || (trailer.fields === undefined && !json.startsWith('{'))) {
    return json; // a serializer's output that is not an object is sent as it is
  }
  const text = append(json, trailer);
  return trailer.stamped ? new StampableFrame(text) : text;
}

/**
 * As {@link encodeFrame}, with a limit.
 *
 * @internal
 * @throws {PayloadTooLargeError} when the frame has more bytes than `maxPayload`.
 */
export function encodeFrameWithin(
  maxPayload: number,
  route: string,
  packet: unknown,
  trailer: FrameTrailer,
): EncodedFrame {
  const frame = encodeFrame(packet, trailer);
  assertFrameSize(maxPayload, route, frame);
  return frame;
}

/** A packet exactly as stock Nest sends it: without our fields, bytes in the JSON form of `Buffer`. @internal */
export function encodeStock(packet: unknown): string {
  return stringify(packet);
}

/** Our fields without a packet; may carry a stamp. @internal */
export function encodeSignal(fields: WireFields): StampableFrame {
  return new StampableFrame(append('{}', new FrameTrailer(fields, true)));
}

/**
 * @internal
 * @throws {PayloadTooLargeError} when the frame has more bytes than `maxPayload`.
 */
export function assertFrameSize(maxPayload: number, route: string, frame: EncodedFrame): void {
  const isStampable = frame instanceof StampableFrame;
  const body = isStampable ? frame.head : frame;
  const end = isStampable ? StampableFrame.BYTES_AFTER_STAMP : 0;
  // A UTF-16 unit takes three bytes at most, so that most frames need not be measured.
  if (typeof body === 'string' && (body.length + end) * 3 <= maxPayload) {
    return;
  }
  const size = (typeof body === 'string' ? Buffer.byteLength(body) : body.length) + end;
  if (size > maxPayload) {
    throw new PayloadTooLargeError(route, size, maxPayload);
  }
}

function stringify(packet: unknown): string {
  const json = JSON.stringify(packet) as string | undefined;
  if (json === undefined) {
    throw new InvalidArgumentError(
      'The serializer returned a value that JSON cannot represent. Return the packet, or a Buffer.',
    );
  }
  return json;
}

/** Our key is the last one, where {@link locateTrailer} looks for it. */
function append(json: string, trailer: FrameTrailer): string {
  if (json === '{}') {
    return `{${trailer.text ?? ''}`;
  }
  if (json.startsWith('{')) {
    return `${json.slice(0, -1)},${trailer.text ?? ''}`;
  }
  return `{"packet":${json},${trailer.with({ w: 1 }).text ?? ''}`;
}

function binaryFieldOf(packet: unknown): BinaryField | undefined {
  if (typeof packet !== 'object' || packet === null) {
    return undefined;
  }
  // Not `instanceof`, because Jest and other hosts run this code in a realm with a `Uint8Array` of its own.
  if (types.isUint8Array(packet)) {
    return 'packet';
  }
  const { data, response } = packet as { data?: unknown; response?: unknown };
  if (types.isUint8Array(data)) {
    return 'data';
  }
  return types.isUint8Array(response) ? 'response' : undefined;
}

function encodeBinary(packet: unknown, field: BinaryField, fields: WireFields | undefined): Buffer {
  const trailer = new FrameTrailer({ ...fields, bin: field }, false);
  const whole = packet as Record<string, unknown>;
  const bytes = (field === 'packet' ? packet : whole[field]) as Uint8Array;
  const head = append(field === 'packet' ? '{}' : stringify({ ...whole, [field]: undefined }), trailer);
  const headLength = Buffer.byteLength(head);
  const frame = Buffer.allocUnsafe(BINARY_PREFIX_BYTES + headLength + bytes.length);
  frame[0] = BINARY_MARK;
  frame.writeUInt32BE(headLength, 1);
  frame.write(head, BINARY_PREFIX_BYTES);
  frame.set(bytes, BINARY_PREFIX_BYTES + headLength);
  return frame;
}

/**
 * Reads a frame of ours, a packet of stock Nest, or a message of another program: the latter is JSON, or else the
 * packet is its text.
 *
 * @internal
 * @returns undefined for a malformed frame of ours, and for JSON of more than 1,000 levels
 */
export function decodeFrame(data: Buffer): Frame | undefined {
  if (data[0] === BINARY_MARK) {
    return decodeBinary(data);
  }
  if (data.length > LONGEST_SHALLOW_JSON && isTooDeep(data, 0, data.length)) {
    return undefined;
  }
  return decodeByTrailer(data) ?? decodeText(data);
}

/**
 * Reads a frame with a stamp by parsing its packet alone: a third faster than {@link decodeText}.
 *
 * @internal
 * @returns undefined for what has to be parsed as a whole
 */
export function decodeByTrailer(data: Buffer): Frame | undefined {
  const trailer = takeTrailer(data);
  if (trailer?.hasPacket !== true) {
    return undefined;
  }
  const fields = readTrailerFields(data, trailer);
  if (fields === undefined) {
    return undefined;
  }
  const packet = parsePacket(data, trailer.keyStart - 1);
  if (typeof packet !== 'object' || packet === null || Object.hasOwn(packet, FIELDS_KEY)) {
    return undefined;
  }
  return { fields, packet: fields.w === 1 ? (packet as { packet?: unknown }).packet : packet };
}

/** The frame without our key. The comma before the key is replaced by a brace meanwhile, to save a copy. */
function parsePacket(data: Buffer, comma: number): unknown {
  data[comma] = CLOSING_BRACE;
  const text = data.toString('utf8', 0, comma + 1);
  data[comma] = COMMA;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function decodeText(data: Buffer): Frame | undefined {
  const text = data.toString('utf8');
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return { fields: NO_FIELDS, packet: text };
  }
  return separateFields(parsed);
}

function decodeBinary(data: Buffer): Frame | undefined {
  if (data.length < BINARY_PREFIX_BYTES) {
    return undefined;
  }
  const headEnd = BINARY_PREFIX_BYTES + data.readUInt32BE(1);
  if (headEnd > data.length || isTooDeep(data, BINARY_PREFIX_BYTES, headEnd)) {
    return undefined;
  }
  let head: unknown;
  try {
    head = JSON.parse(data.toString('utf8', BINARY_PREFIX_BYTES, headEnd));
  } catch {
    return undefined;
  }
  const frame = separateFields(head);
  const field = frame?.fields.bin;
  if (frame === undefined || field === undefined) {
    return undefined;
  }
  const bytes = data.subarray(headEnd);
  if (field === 'packet') {
    return { fields: frame.fields, packet: bytes };
  }
  if (typeof frame.packet !== 'object' || frame.packet === null) {
    return undefined;
  }
  (frame.packet as Record<string, unknown>)[field] = bytes;
  return frame;
}

/** Undefined if our key is there, but malformed. */
function separateFields(parsed: unknown): Frame | undefined {
  if (typeof parsed !== 'object' || parsed === null || !Object.hasOwn(parsed, FIELDS_KEY)) {
    return { fields: NO_FIELDS, packet: parsed };
  }
  const envelope = parsed as { [FIELDS_KEY]?: unknown; packet?: unknown };
  const fields = envelope[FIELDS_KEY];
  if (!isWireFields(fields)) {
    return undefined;
  }
  if (fields.w === 1) {
    return { fields, packet: envelope.packet };
  }
  // We write it as the last key, and V8 removes a last key without making the object slow.
  // eslint-disable-next-line @typescript-eslint/no-dynamic-delete
  delete envelope[FIELDS_KEY];
  return { fields, packet: parsed };
}

/**
 * How frames carry the stamp of the engine: a JSON frame as the last field of its trailer, a binary frame in an
 * envelope. Everything else has none: replies to stock Nest clients, and what users publish through `unwrap()`.
 *
 * @internal
 */
export const FRAME_STAMP_CODEC: StampCodec = {
  supports: (payload) => isStampableText(payload) || (typeof payload !== 'string' && isBinaryFrame(payload)),

  encode(payload, stamp) {
    if (isStampableText(payload)) {
      return payload.withStamp(stamp);
    }
    return typeof payload !== 'string' && isBinaryFrame(payload)
      ? PREFIX_CODEC.encode(payload, stamp)
      : payload;
  },

  decode(data) {
    // Decided by the first byte, because the last bytes of a binary frame are the user's. An envelope may hold
    // anything: engines without Nest use it too.
    if (data[0] !== OPENING_BRACE) {
      return PREFIX_CODEC.decode(data);
    }
    const trailer = locateTrailer(data);
    return trailer && readStamp(data, trailer.stampStart, trailer.stampEnd);
  },
};

/** True for a binary frame as {@link encodeFrame} makes it. */
function isBinaryFrame(data: Uint8Array): boolean {
  if (data[0] !== BINARY_MARK || data.length < BINARY_PREFIX_BYTES) {
    return false;
  }
  const headEnd = BINARY_PREFIX_BYTES + new DataView(data.buffer, data.byteOffset).getUint32(1);
  return (
    headEnd <= data.length &&
    data[BINARY_PREFIX_BYTES] === OPENING_BRACE &&
    data[headEnd - 1] === CLOSING_BRACE
  );
}
