import { types } from 'node:util';
import { InvalidArgumentError } from '../pubsub/errors.js';

/**
 * Our own fields of a frame. They travel in one extra top-level key beside Nest's packet and are taken off before the
 * packet meets a deserializer: Nest 12 takes a reply with an unknown key for a bare payload. Unknown fields are
 * ignored, so that later versions may add some.
 *
 * @internal
 */
export interface WireFields {
  /** The channel that waits for the reply. */
  r?: string;
  /** The reply goes out by classic PUBLISH (Redis 6). */
  c?: 1;
  /** Headers. */
  h?: Readonly<Record<string, string>>;
  /** The asker left the request with this id. */
  x?: string;
  /** "There is no message handler here." */
  n?: 1;
  /** "Are you still there?" Says nothing else, and may arrive twice. */
  k?: 1;
  /** The packet was not an object, and sits under `packet`. */
  w?: 1;
  /** The stamp of the engine, put in as the frame goes out; the last field, see `frame-stamp.ts`. */
  s?: string;
  /** Which field of the packet the bytes after the head of a binary frame are; `packet`: all of it. */
  bin?: BinaryField;
}

type BinaryField = 'data' | 'response' | 'packet';

/** What arrived: our fields, and the packet as a deserializer shall see it. */
export interface Frame {
  readonly fields: WireFields;
  readonly packet: unknown;
}

const KEY = '_cps';
/** The end of a frame that is to carry a stamp: the place between the quotes is for it. @internal */
export const STAMP_PLACE = '"s":""}}';
/** JSON cannot begin with it, so the first byte tells the two forms apart. */
const BINARY_MARK = 0x00;
const HEAD_OFFSET = 5;
const BRACE = 0x7b;
const CLOSING_BRACE = 0x7d;
const NO_FIELDS: WireFields = Object.freeze({});

/**
 * A packet in the form in which stock Nest would send it, so that its servers and redis-cli can read it, with our
 * fields spliced in as a last key. A packet whose `data` or `response` is a `Uint8Array` becomes a binary frame:
 * 0x00, the length of the JSON head (4 bytes, big-endian), the head, the bytes.
 *
 * `stamped`: the engine puts a stamp on it as it goes out. A JSON frame gets the place for it, and so a key of ours in
 * any case; a binary frame needs none.
 *
 * @internal
 */
export function encodeFrame(packet: unknown, fields?: WireFields, stamped = false): string | Buffer {
  const binary = binaryFieldOf(packet);
  if (binary !== undefined) {
    return encodeBinary(packet, binary, fields);
  }
  const json = stringify(packet);
  if (fields === undefined && !(stamped && json.startsWith('{'))) {
    return json; // what a serializer of the user's made of it, if it is no object, goes out as it is
  }
  return splice(json, fields ?? NO_FIELDS, stamped);
}

/** A packet exactly as stock Nest sends it: no fields of ours, bytes in the JSON form of `Buffer`. @internal */
export function encodeStock(packet: unknown): string {
  return stringify(packet);
}

/** The fields alone, without a packet; may carry a stamp. @internal */
export function encodeSignal(fields: WireFields): string {
  return splice('{}', fields, true);
}

/** Whether it is a binary frame, as {@link encodeFrame} makes them. @internal */
export function isBinaryFrame(data: Uint8Array): boolean {
  if (data[0] !== BINARY_MARK || data.length < HEAD_OFFSET) {
    return false;
  }
  const end = HEAD_OFFSET + new DataView(data.buffer, data.byteOffset).getUint32(1);
  return end <= data.length && data[HEAD_OFFSET] === BRACE && data[end - 1] === CLOSING_BRACE;
}

/**
 * Reads a frame of ours, a packet of stock Nest, or what a foreign program published; the latter is JSON, or else the
 * packet is its text. `undefined` says that it is meant to be a frame of ours but is not well-formed.
 *
 * @internal
 */
export function decodeFrame(data: Buffer): Frame | undefined {
  if (data[0] === BINARY_MARK) {
    return decodeBinary(data);
  }
  const text = data.toString('utf8');
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return { fields: NO_FIELDS, packet: text };
  }
  return takeFieldsOff(parsed);
}

/** Whether the encoded frame is larger than `limit` bytes; the size if so. @internal */
export function oversize(frame: string | Buffer, limit: number): number | undefined {
  // A UTF-16 unit takes three bytes at most, so that most frames need no counting.
  if (typeof frame === 'string' && frame.length * 3 <= limit) {
    return undefined;
  }
  const size = typeof frame === 'string' ? Buffer.byteLength(frame) : frame.length;
  return size > limit ? size : undefined;
}

function stringify(packet: unknown): string {
  const json = JSON.stringify(packet) as string | undefined;
  if (json === undefined) {
    throw new InvalidArgumentError(
      'The serializer returned nothing that JSON can hold. Return the packet, or a Buffer.',
    );
  }
  return json;
}

function splice(json: string, fields: WireFields, stamped: boolean): string {
  if (json === '{}') {
    return `{${endOf(fields, stamped)}`;
  }
  if (json.startsWith('{')) {
    return `${json.slice(0, -1)},${endOf(fields, stamped)}`;
  }
  return `{"packet":${json},${endOf({ ...fields, w: 1 }, stamped)}`;
}

/** A frame from our key on. The key comes last, and the place of the stamp last in it, where a receiver looks for it. */
function endOf(fields: WireFields, stamped: boolean): string {
  if (!stamped) {
    return `"${KEY}":${JSON.stringify(fields)}}`;
  }
  const own = fields === NO_FIELDS ? '{}' : JSON.stringify(fields);
  return own === '{}' ? `"${KEY}":{${STAMP_PLACE}` : `"${KEY}":${own.slice(0, -1)},${STAMP_PLACE}`;
}

function binaryFieldOf(packet: unknown): BinaryField | undefined {
  if (typeof packet !== 'object' || packet === null) {
    return undefined;
  }
  // Not instanceof: Jest and other hosts run us in a realm of its own, with another Uint8Array.
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
  const own: WireFields = { ...fields, bin: field };
  const whole = packet as Record<string, unknown>;
  const bytes = (field === 'packet' ? packet : whole[field]) as Uint8Array;
  const head = splice(field === 'packet' ? '{}' : stringify({ ...whole, [field]: undefined }), own, false);
  const headLength = Buffer.byteLength(head);
  const frame = Buffer.allocUnsafe(HEAD_OFFSET + headLength + bytes.length);
  frame[0] = BINARY_MARK;
  frame.writeUInt32BE(headLength, 1);
  frame.write(head, HEAD_OFFSET);
  frame.set(bytes, HEAD_OFFSET + headLength);
  return frame;
}

function decodeBinary(data: Buffer): Frame | undefined {
  if (data.length < HEAD_OFFSET) {
    return undefined;
  }
  const end = HEAD_OFFSET + data.readUInt32BE(1);
  if (end > data.length) {
    return undefined;
  }
  let head: unknown;
  try {
    head = JSON.parse(data.toString('utf8', HEAD_OFFSET, end));
  } catch {
    return undefined;
  }
  const frame = takeFieldsOff(head);
  const field = frame?.fields.bin;
  if (frame === undefined || field === undefined) {
    return undefined;
  }
  const bytes = data.subarray(end);
  if (field === 'packet') {
    return { fields: frame.fields, packet: bytes };
  }
  if (typeof frame.packet !== 'object' || frame.packet === null) {
    return undefined;
  }
  (frame.packet as Record<string, unknown>)[field] = bytes;
  return frame;
}

function takeFieldsOff(parsed: unknown): Frame | undefined {
  if (typeof parsed !== 'object' || parsed === null || !Object.hasOwn(parsed, KEY)) {
    return { fields: NO_FIELDS, packet: parsed };
  }
  const envelope = parsed as { [KEY]?: unknown; packet?: unknown };
  const fields = envelope[KEY];
  if (!isWireFields(fields)) {
    return undefined;
  }
  if (fields.w === 1) {
    return { fields, packet: envelope.packet };
  }
  // It is the last key, as we write it; V8 takes a last key off without making the object slow.
  // eslint-disable-next-line @typescript-eslint/no-dynamic-delete
  delete envelope[KEY];
  return { fields, packet: parsed };
}

function isWireFields(value: unknown): value is WireFields {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return false;
  }
  const { r, x, h, bin } = value as Record<string, unknown>;
  return (
    (r === undefined || typeof r === 'string') &&
    (x === undefined || typeof x === 'string') &&
    (h === undefined || isHeaders(h)) &&
    (bin === undefined || bin === 'data' || bin === 'response' || bin === 'packet')
  );
}

function isHeaders(value: unknown): boolean {
  return (
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    Object.values(value).every((entry) => typeof entry === 'string')
  );
}
