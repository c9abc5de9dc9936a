import { describe, expect, it } from '@jest/globals';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { decodeByTrailer, decodeFrame, FRAME_STAMP_CODEC } from '../../../../src/transport/wire/frame.js';

const read = (text: string) => decodeByTrailer(Buffer.from(text));

describe('a frame with a stamp, read by its trailer', () => {
  it.each([
    ['an event', '{"pattern":"x","data":1,"_cps":{"s":"p.0.1"}}', { s: '' }, { pattern: 'x', data: 1 }],
    [
      'a request',
      '{"pattern":"x","data":{},"id":"7","_cps":{"r":"_cps:in:me:{3}","s":"p.0.1"}}',
      { r: '_cps:in:me:{3}' },
      { pattern: 'x', data: {}, id: '7' },
    ],
    ['a decline', '{"id":"7","err":"e","_cps":{"n":1,"s":"p.0.1"}}', { n: 1 }, { id: '7', err: 'e' }],
    ['a packet that is no object', '{"packet":[1],"_cps":{"r":"in","w":1,"s":"p.0.1"}}', { w: 1 }, [1]],
    ['a stamp that has not been put on', '{"id":"7","_cps":{"s":""}}', {}, { id: '7' }],
    ['an inbox beyond ASCII', '{"id":"7","_cps":{"r":"ž:in","s":"p.0.1"}}', { r: 'ž:in' }, { id: '7' }],
    ['data beyond ASCII', '{"data":"žluť 🐎","_cps":{"s":"p.0.1"}}', {}, { data: 'žluť 🐎' }],
    [
      'data with our key in a text',
      JSON.stringify({ data: ',"_cps":{"r":"x","s":"p.0.1"}}', _cps: { s: 'p.0.1' } }),
      {},
      { data: ',"_cps":{"r":"x","s":"p.0.1"}}' },
    ],
  ])('is %s', (_name, text, fields, packet) => {
    for (const _time of ['the first', 'the second']) {
      const frame = read(text);
      expect(frame?.packet).toEqual(packet);
      expect(frame?.fields).toMatchObject(fields);
    }
  });

  it('leaves the bytes as they were', () => {
    const text = '{"data":1,"_cps":{"r":"in","s":"p.0.1"}}';
    const data = Buffer.from(text);
    decodeByTrailer(data);
    expect(data.toString()).toBe(text);
  });

  it('does not share headers with other messages', () => {
    const text = '{"data":1,"_cps":{"h":{"tenant":"acme"},"s":"p.0.1"}}';
    Object.assign(read(text)!.fields.h!, { user: 'alice' });
    expect(read(text)!.fields.h).toEqual({ tenant: 'acme' });
  });

  it('keeps the fields of different trailers apart', () => {
    expect(read('{"data":1,"_cps":{"r":"a","s":"p.0.1"}}')?.fields.r).toBe('a');
    expect(read('{"data":1,"_cps":{"r":"b","s":"p.0.1"}}')?.fields.r).toBe('b');
    expect(read('{"data":1,"_cps":{"s":"p.0.1"}}')?.fields.r).toBeUndefined();
  });
});

/** What these say is for the parser of whole frames to tell. */
describe('a message without such a trailer', () => {
  it.each([
    ['nothing', ''],
    ['a packet of stock Nest', '{"pattern":"x","data":{"s":"p.0.1"}}'],
    ['a frame without a place for a stamp', '{"data":1,"_cps":{"r":"in"}}'],
    ['a field after the stamp', '{"data":1,"_cps":{"s":"p.0.1","x":"7"}}'],
    ['another field in its place', '{"data":1,"_cps":{"x":"7"}}'],
    ['a signal, which has no packet', '{"_cps":{"x":"7","s":"p.0.1"}}'],
    ['long headers', `{"data":1,"_cps":{"h":{"a":"${'x'.repeat(200)}"},"s":"p.0.1"}}`],
    ['a frame within another', '{"data":{"data":1,"_cps":{"s":"p.0.1"}}}'],
    ['a frame that is not closed', '{"data":{"a":1,"_cps":{"s":"p.0.1"}}'],
    ['our key twice', '{"_cps":{"x":"7"},"data":1,"_cps":{"s":"p.0.1"}}'],
    ['a packet that goes on behind our key', '{"id":"7","_cps":{"r":"in"},"data":{"id":7,"s":"open"}}'],
    ['fields that are malformed', '{"data":1,"_cps":{"r":1,"s":"p.0.1"}}'],
    ['a packet that is malformed', '{"data":x,"_cps":{"s":"p.0.1"}}'],
    ['a stamp that does not end', '{"data":1,"_cps":{"s":"p.0\\"}}'],
    ['a list', '[1,"_cps":{"s":"p.0.1"}}'],
  ])('is %s', (_name, text) => {
    expect(read(text)).toBeUndefined();
  });

  it('is malformed, or text, as when parsed as a whole', () => {
    expect(decodeFrame(Buffer.from('{"data":1,"_cps":{"r":1,"s":"p.0.1"}}'))).toBeUndefined();
    expect(decodeFrame(Buffer.from('{"data":x,"_cps":{"s":"p.0.1"}}'))?.packet).toBe(
      '{"data":x,"_cps":{"s":"p.0.1"}}',
    );
  });
});

it('leaves nothing that holds a frame which was read', async () => {
  setFlagsFromString('--expose-gc');
  const collectGarbage = runInNewContext('gc') as () => void;
  const frames = Array.from({ length: 3 }, () => {
    const frame = Buffer.from(`{"data":"${'x'.repeat(100_000)}","_cps":{"s":"p.0.1"}}`);
    FRAME_STAMP_CODEC.decode(frame);
    decodeFrame(frame);
    return new WeakRef(frame);
  });
  await new Promise((resolve) => setImmediate(resolve));
  collectGarbage();
  expect(frames.filter((frame) => frame.deref() !== undefined)).toEqual([]);
});
