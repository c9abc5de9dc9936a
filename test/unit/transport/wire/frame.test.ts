import { describe, expect, it } from '@jest/globals';
import { ClusterPubSubError } from '../../../../src/pubsub/common/errors.js';
import {
  assertFrameSize,
  decodeFrame,
  encodeFrame,
  encodeSignal,
  encodeStock,
  type EncodedFrame,
} from '../../../../src/transport/wire/frame.js';
import { FrameTrailer } from '../../../../src/transport/wire/frame-trailer.js';
import { unstamped } from '../../../../src/pubsub/ordering/sequence-stamp.js';
import type { WireFields } from '../../../../src/transport/wire/frame-fields.js';

const encode = (packet: unknown, fields?: WireFields) => encodeFrame(packet, new FrameTrailer(fields, false));
const encodeStamped = (packet: unknown, fields?: WireFields) =>
  unstamped(encodeFrame(packet, new FrameTrailer(fields, true)));
const bytesOf = (frame: EncodedFrame) => Buffer.from(unstamped(frame) as string);
const roundTrip = (packet: unknown, fields?: WireFields) => decodeFrame(bytesOf(encode(packet, fields)));

describe('encodeFrame', () => {
  it('sends an event without headers exactly as stock Nest does', () => {
    const packet = { pattern: 'order', data: { id: 7 } };
    expect(encode(packet)).toBe(JSON.stringify(packet));
  });

  it('adds one key of ours beside the packet, which others can read without knowing it', () => {
    const frame = encode({ pattern: 'order', data: 1, id: 'a' }, { r: 'inbox' }) as string;
    expect(JSON.parse(frame)).toEqual({ pattern: 'order', data: 1, id: 'a', _cps: { r: 'inbox' } });
  });

  it('ends where the stamp goes if it is to carry one', () => {
    const packet = { pattern: 'order', data: 1 };
    expect(encodeStamped(packet)).toBe('{"pattern":"order","data":1,"_cps":{"s":""}}');
    expect(encodeStamped(packet, { r: 'in' })).toBe('{"pattern":"order","data":1,"_cps":{"r":"in","s":""}}');
  });

  it("sends a serializer's output that is not an object as it is, unless it has to carry fields", () => {
    expect(encodeStamped('text')).toBe('"text"');
    expect(encodeStamped('text', { r: 'in' })).toBe('{"packet":"text","_cps":{"r":"in","w":1,"s":""}}');
  });

  it('refuses a serializer that returned nothing', () => {
    expect(() => encode(undefined)).toThrow(ClusterPubSubError);
  });

  it('sends a Buffer to stock clients in the JSON form they know', () => {
    const bytes = Buffer.from([1, 2]);
    expect(encodeStock({ id: 'a', response: bytes })).toBe(JSON.stringify({ id: 'a', response: bytes }));
  });
});

describe('a frame', () => {
  it.each([
    ['an object', { pattern: 'x', data: { text: 'Zürich 🚀', nothing: null, list: [1, 2] } }],
    ['an empty object', {}],
    ['a string', 'custom'],
    ['a number', 42],
    ['an array', [1, { a: 2 }]],
    ['null', null],
  ])('brings %s through, with fields and without', (_name, packet) => {
    expect(roundTrip(packet)).toEqual({ fields: {}, packet });
    const frame = roundTrip(packet, { r: 'inbox', h: { tenant: 'acme' } });
    expect(frame?.packet).toEqual(packet);
    expect(frame?.fields).toMatchObject({ r: 'inbox', h: { tenant: 'acme' } });
  });

  it('keeps a packet that has a field called packet', () => {
    expect(roundTrip({ packet: 1 }, { r: 'inbox' })?.packet).toEqual({ packet: 1 });
  });

  it.each(['data', 'response'])('preserves the bytes of %s', (field) => {
    const bytes = Buffer.from([0, 255, 10, 13, 128]);
    const frame = roundTrip({ id: 'a', [field]: bytes, isDisposed: true }, { h: { a: 'b' } });
    expect(frame?.packet).toEqual({ id: 'a', [field]: bytes, isDisposed: true });
    expect(frame?.fields.h).toEqual({ a: 'b' });
  });

  it('preserves bytes that a serializer returned', () => {
    expect(roundTrip(new Uint8Array([0, 1, 2]))?.packet).toEqual(Buffer.from([0, 1, 2]));
    expect(roundTrip(Buffer.alloc(0), { r: 'inbox' })).toMatchObject({
      fields: { r: 'inbox' },
      packet: Buffer.alloc(0),
    });
  });

  it('can be a signal without a packet', () => {
    expect(decodeFrame(bytesOf(encodeSignal({ x: 'id', r: 'inbox' })))?.fields).toMatchObject({
      x: 'id',
      r: 'inbox',
    });
  });
});

describe('decodeFrame', () => {
  it('takes text that is not JSON for a foreign message', () => {
    expect(decodeFrame(Buffer.from('hello, wörld'))).toEqual({ fields: {}, packet: 'hello, wörld' });
    expect(decodeFrame(Buffer.alloc(0))).toEqual({ fields: {}, packet: '' });
  });

  it('ignores fields it does not know', () => {
    expect(decodeFrame(Buffer.from('{"data":1,"_cps":{"r":"in","seq":9}}'))).toMatchObject({
      fields: { r: 'in' },
      packet: { data: 1 },
    });
  });

  it.each([
    ['a frame that is cut off', Buffer.from([0, 0, 0])],
    ['a head longer than the frame', Buffer.from([0, 0, 0, 1, 0, 123])],
    ['a head that is not JSON', Buffer.from([0, 0, 0, 0, 2, 123, 123])],
    ['a head that says nothing of its bytes', Buffer.from('\0\0\0\0\x02{}')],
    ['bytes for a field of nothing', binary('{"_cps":{"w":1,"bin":"data"}}')],
    ['bytes for a field of a text', binary('{"_cps":{"w":1,"bin":"data"},"packet":"text"}')],
    ['fields that are no object', Buffer.from('{"_cps":1}')],
    ['fields that are a list', Buffer.from('{"_cps":[]}')],
    ['a reply channel that is no string', Buffer.from('{"_cps":{"r":1}}')],
    ['headers that are no strings', Buffer.from('{"_cps":{"h":{"a":1}}}')],
  ])('takes %s for malformed', (_name, data) => {
    expect(decodeFrame(data)).toBeUndefined();
  });
});

describe('JSON of many levels', () => {
  const nested = (levels: number): string => '['.repeat(levels) + ']'.repeat(levels);

  it('is read up to 1,000 of them, and malformed beyond', () => {
    expect(decodeFrame(Buffer.from(nested(1_000)))).toBeDefined();
    expect(decodeFrame(Buffer.from(nested(1_001)))).toBeUndefined();
    expect(decodeFrame(Buffer.from(`{"data":${nested(100_000)}}`))).toBeUndefined();
    expect(decodeFrame(Buffer.from('{"a":'.repeat(5_000) + '1' + '}'.repeat(5_000)))).toBeUndefined();
    const stamped = `{"data":${nested(5_000)},"_cps":{"s":"abc.0.1"}}`;
    expect(decodeFrame(Buffer.from(stamped))).toBeUndefined();
    const head = Buffer.from(`{"a":${nested(5_000)},"_cps":{"bin":"data"}}`);
    const prefix = Buffer.alloc(5);
    prefix.writeUInt32BE(head.length, 1);
    expect(decodeFrame(Buffer.concat([prefix, head]))).toBeUndefined();
  });

  it('is not confused with brackets in strings, nor with many values of few levels', () => {
    const texts = [JSON.stringify('[{'.repeat(5_000)), JSON.stringify(['\\"[['.repeat(5_000), '"\\'])];
    for (const text of texts) expect(decodeFrame(Buffer.from(text))?.packet).toEqual(JSON.parse(text));
    const list = `[${Array.from({ length: 5_000 }, () => '{"a":[1]}').join()}]`;
    expect(decodeFrame(Buffer.from(list))?.packet).toHaveLength(5_000);
  });
});

describe('the size of a frame', () => {
  const check = (frame: EncodedFrame) => () => assertFrameSize(10, 'order', frame);

  it('is counted in bytes, not characters', () => {
    expect(check('ü'.repeat(5))).not.toThrow();
    expect(check('ü'.repeat(6))).toThrow(expect.objectContaining({ pattern: 'order', size: 12, limit: 10 }));
    expect(check(Buffer.alloc(11))).toThrow(expect.objectContaining({ size: 11 }));
  });
});

/** A binary frame with this head. */
function binary(head: string): Buffer {
  return Buffer.concat([Buffer.from([0, 0, 0, 0, head.length]), Buffer.from(head), Buffer.from('bytes')]);
}
