import { describe, expect, it } from '@jest/globals';
import { PREFIX_CODEC, unstamped } from '../../../../src/pubsub/ordering/sequence-stamp.js';
import {
  decodeFrame,
  encodeFrame,
  encodeSignal,
  encodeStock,
  FRAME_STAMP_CODEC,
} from '../../../../src/transport/wire/frame.js';
import { FrameTrailer } from '../../../../src/transport/wire/frame-trailer.js';
import type { WireFields } from '../../../../src/transport/wire/frame-fields.js';

const { supports: carries, encode: seal, decode: open } = FRAME_STAMP_CODEC;
const STAMP = 'AbCdEfGh.0.5k';
const bytesOf = (payload: string | Uint8Array): Buffer => Buffer.from(payload as string);
const encode = (packet: unknown, fields?: WireFields) => encodeFrame(packet, new FrameTrailer(fields, true));
const sealed = (packet: unknown, fields?: WireFields) => seal(encode(packet, fields), STAMP);

describe('a frame of ours', () => {
  it.each<[string, unknown, WireFields | undefined]>([
    ['an event', { pattern: 'order', data: { id: 7 } }, undefined],
    ['an event with headers', { pattern: 'order', data: 1 }, { h: { tenant: 'acme', odd: '}}{"_cps":{' } }],
    ['long headers', { pattern: 'order', data: 1 }, { h: { long: 'x'.repeat(10_000) } }],
    ['a request', { pattern: 'order', data: 1, id: 'a' }, { r: '_cps:in:client:{17}', c: 1 }],
    ['an empty packet', {}, undefined],
    ['data that ends as we do', { pattern: 'order', data: { s: 'p.0.1' } }, undefined],
    ['data with our key', { pattern: 'order', data: { _cps: { s: 'p.0.1' } } }, undefined],
    ['data beyond ASCII', { pattern: 'order', data: 'Zürich 🚀' }, undefined],
    ['bytes', { pattern: 'order', data: Buffer.from([0, 255]) }, { h: { a: 'b' } }],
    ['bytes alone', Buffer.alloc(0), undefined],
    ['bytes that are a frame themselves', Buffer.from('{"_cps":{"s":"p.0.1"}}'), undefined],
  ])('carries its stamp beside %s', (_name, packet, fields) => {
    expect(carries(encode(packet, fields))).toBe(true);
    const opened = open(bytesOf(sealed(packet, fields)));
    expect(opened).toMatchObject({ stream: 'AbCdEfGh.0', seq: 5 * 36 + 20 });
    const frame = decodeFrame(opened!.data);
    expect(frame?.packet).toEqual(packet);
    expect(frame?.fields).toMatchObject(fields ?? {});
  });

  it('is JSON with one key more than stock Nest sends', () => {
    const packet = { pattern: 'order', data: 1 };
    expect(JSON.parse(sealed(packet) as string)).toEqual({ ...packet, _cps: { s: STAMP } });
    expect(JSON.parse(sealed(packet, { r: 'in' }) as string)).toEqual({
      ...packet,
      _cps: { r: 'in', s: STAMP },
    });
  });

  it('carries a stamp as a signal too', () => {
    const opened = open(bytesOf(seal(encodeSignal({ x: 'id', r: 'inbox' }), STAMP)));
    expect(opened?.stream).toBe('AbCdEfGh.0');
    expect(decodeFrame(opened!.data)?.fields).toMatchObject({ x: 'id', r: 'inbox' });
  });

  it('has no stamp until the engine adds one', () => {
    expect(open(bytesOf(unstamped(encode({ data: 1 }))))).toBeUndefined();
  });

  it('can be decoded with the longest possible stamp', () => {
    const longest = `${'p'.repeat(24)}.${'z'.repeat(11)}.${Number.MAX_SAFE_INTEGER.toString(36)}`;
    const frame = seal(encode({ data: 1 }, { r: 'in' }), longest);
    expect(open(bytesOf(frame))?.seq).toBe(Number.MAX_SAFE_INTEGER);
  });
});

describe('a payload that carries no stamp', () => {
  it.each([
    ['a reply to a stock Nest client', encodeStock({ id: 'a', response: { s: '' }, isDisposed: true })],
    ['a reply to one that ends as a frame of ours', encodeStock({ id: 'a', response: { s: '' } })],
    ['bytes in the form of stock Nest', encodeStock({ response: Buffer.from([1]) })],
    ['a frame without a place', encodeFrame({ data: 1 }, new FrameTrailer({ r: 'in' }, false))],
    ['text that a user publishes', 'hello'],
    ['nothing', ''],
    ['bytes that a user publishes', Buffer.from('{"a":{"b":1}}')],
    ['bytes that begin as a binary frame', Buffer.from([0, 0, 0, 0, 2, 1, 2])],
    ['a binary frame cut off', Buffer.from([0, 0, 0])],
    ['no bytes', Buffer.alloc(0)],
  ])('goes out as it is: %s', (_name, payload) => {
    expect(carries(payload)).toBe(false);
    expect(seal(payload, STAMP)).toBe(payload);
  });
});

it('a payload numbered by an engine without Nest is decoded too', () => {
  const opened = open(bytesOf(PREFIX_CODEC.encode('{"id":7}', STAMP)));
  expect(opened).toEqual({ stream: 'AbCdEfGh.0', seq: 200, data: Buffer.from('{"id":7}') });
});

describe('a message of another program', () => {
  it.each([
    ['a packet of stock Nest', '{"pattern":"order","data":{"id":7}}'],
    ['text', 'hello'],
    ['nothing', ''],
    ['the very end of a frame', '"}}'],
    ['a value that looks like a stamp', '{"file":{"s":"download.tar.gz"}}'],
    ['a value alone that does', '"s":"p.0.1"}}'],
    ['our key in a text', '{"_cps":"{","file":{"s":"p.0.1"}}'],
    ['our key in an escaped text', JSON.stringify({ log: '{"_cps":{', file: { s: 'p.0.1' } })],
    ['our key as the end of another', '{"a\\"_cps":{"s":"p.0.1"}}'],
    ['a stamp of another form', '{"_cps":{"s":"p.0"}}'],
    ['a stamp under another name', '{"_cps":{"r":"p.0.1"}}'],
    ['a frame within another', '{"seen":{"data":1,"_cps":{"s":"p.0.1"}}}'],
    ['our key without its beginning', '"_cps":{"s":"p.0.1"}}'],
    ['an envelope that is malformed', '\x01cps\x05p.0-1hello'],
  ])('has no stamp: %s', (_name, text) => {
    expect(open(Buffer.from(text))).toBeUndefined();
  });
});
