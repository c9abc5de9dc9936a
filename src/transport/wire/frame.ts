import { types } from 'node:util';
import { InvalidArgumentError } from '../../pubsub/common/errors.js';
import type { StampableText } from '../../pubsub/ordering/sequence-stamp.js';
import { decodeFast } from './frame-tail-decoder.js';
import {
  FIELDS_KEY,
  isWireFields,
  NO_FIELDS,
  type BinaryField,
  type Frame,
  type WireFields,
} from './frame-fields.js';

/** JSON cannot begin with it, so the first byte tells the two forms apart. */
const BINARY_MARK = 0x00;
const HEAD_OFFSET = 5;
const BRACE = 0x7b;
const CLOSING_BRACE = 0x7d;

/** What follows the stamp. */
const END = '"}}';

/**
 * A JSON frame that lacks its end, for the stamp stands there, as the last field of our key. The engine puts it on as
 * the frame goes out.
 *
 * @internal
 */
export class StampableFrame implements StampableText {
  constructor(readonly head: string) {}

  withStamp(stamp: string): string {
    return `${this.head}${stamp}${END}`;
  }
}

/** @internal */
export type EncodedFrame = string | Buffer | StampableFrame;

/**
 * Our fields as they stand at the end of a JSON frame: encoded once, where they are the same in each frame.
 *
 * `stamped`: the engine puts a stamp on the frame as it goes out. A JSON frame gets the place for it, and so a key of
 * ours in any case; a binary frame needs none.
 *
 * @internal
 */
export class FrameTrailer {
  /** From our key on; up to the stamp if there is to be one. Undefined: there is nothing to say. */
  readonly text: string | undefined;

  constructor(
    readonly fields: WireFields | undefined,
    readonly stamped: boolean,
  ) {
    const own = fields === undefined ? '{}' : JSON.stringify(fields);
    if (stamped) {
      this.text = `"${FIELDS_KEY}":${own.slice(0, -1)}${own === '{}' ? '' : ','}"s":"`;
    } else if (fields !== undefined) {
      this.text = `"${FIELDS_KEY}":${own}}`;
    }
  }

  with(fields: WireFields): FrameTrailer {
    return new FrameTrailer({ ...this.fields, ...fields }, this.stamped);
  }
}

/**
 * A packet in the form in which stock Nest would send it, so that its servers and redis-cli can read it, with our
 * fields spliced in as a last key. A packet whose `data` or `response` is a `Uint8Array` becomes a binary frame:
 * 0x00, the length of the JSON head (4 bytes, big-endian), the head, the bytes.
 *
 * @internal
 */
export function encodeFrame(packet: unknown, end: FrameTrailer): EncodedFrame {
  const binary = binaryFieldOf(packet);
  if (binary !== undefined) {
    return encodeBinary(packet, binary, end.fields);
  }
  const json = stringify(packet);
  if (end.text === undefined || (end.fields === undefined && !json.startsWith('{'))) {
    return json; // what a serializer of the user's made of it, if it is no object, goes out as it is
  }
  const text = splice(json, end);
  return end.stamped ? new StampableFrame(text) : text;
}

/** A packet exactly as stock Nest sends it: no fields of ours, bytes in the JSON form of `Buffer`. @internal */
export function encodeStock(packet: unknown): string {
  return stringify(packet);
}

/** The fields alone, without a packet; may carry a stamp. @internal */
export function encodeSignal(fields: WireFields): StampableFrame {
  return new StampableFrame(splice('{}', new FrameTrailer(fields, true)));
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
  return decodeFast(data) ?? decodeText(data);
}

function decodeText(data: Buffer): Frame | undefined {
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
export function oversize(frame: EncodedFrame, limit: number): number | undefined {
  const isOpen = frame instanceof StampableFrame;
  const body = isOpen ? frame.head : frame;
  const end = isOpen ? END.length : 0;
  // A UTF-16 unit takes three bytes at most, so that most frames need no counting.
  if (typeof body === 'string' && (body.length + end) * 3 <= limit) {
    return undefined;
  }
  const size = (typeof body === 'string' ? Buffer.byteLength(body) : body.length) + end;
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

/** Our key comes last, and the place of the stamp last in it, where a receiver looks for it. */
function splice(json: string, end: FrameTrailer): string {
  if (json === '{}') {
    return `{${end.text ?? ''}`;
  }
  if (json.startsWith('{')) {
    return `${json.slice(0, -1)},${end.text ?? ''}`;
  }
  return `{"packet":${json},${end.with({ w: 1 }).text ?? ''}`;
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
  const end = new FrameTrailer({ ...fields, bin: field }, false);
  const whole = packet as Record<string, unknown>;
  const bytes = (field === 'packet' ? packet : whole[field]) as Uint8Array;
  const head = splice(field === 'packet' ? '{}' : stringify({ ...whole, [field]: undefined }), end);
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
  // It is the last key, as we write it; V8 takes a last key off without making the object slow.
  // eslint-disable-next-line @typescript-eslint/no-dynamic-delete
  delete envelope[FIELDS_KEY];
  return { fields, packet: parsed };
}
