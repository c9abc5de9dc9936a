import { describe, expect, it } from '@jest/globals';
import { parseStamp, PREFIX_CODEC } from '../../../../src/pubsub/ordering/sequence-stamp.js';

const STAMP = 'AbC-_012.a.zz';
const bytesOf = (payload: string | Uint8Array): Buffer => Buffer.from(payload as string);

describe('parseStamp', () => {
  it('returns the stream and the sequence number of a message', () => {
    expect(parseStamp(STAMP)).toMatchObject({ stream: 'AbC-_012.a', seq: 35 * 36 + 35 });
    expect(parseStamp('p.0.0')).toMatchObject({ stream: 'p.0', seq: 0 });
    const highest = Number.MAX_SAFE_INTEGER;
    expect(parseStamp(`p.0.${highest.toString(36)}`)?.seq).toBe(highest);
  });

  it.each([
    ['nothing', ''],
    ['two parts', 'p.0'],
    ['four parts', 'p.0.1.2'],
    ['no publisher', '.0.1'],
    ['no epoch', 'p..1'],
    ['no sequence', 'p.0.'],
    ['a publisher of other characters', 'p+q.0.1'],
    ['a publisher beyond ASCII', 'š.0.1'],
    ['a publisher without end', `${'p'.repeat(25)}.0.1`],
    ['capitals in a number', 'p.0.A'],
    ['a sign', 'p.0.-1'],
    ['a number that is not safe', `p.0.${(Number.MAX_SAFE_INTEGER + 1).toString(36)}`],
    ['a number without end', `p.0.${'0'.repeat(12)}`],
  ])('does not accept %s as a stamp', (_name, text) => {
    expect(parseStamp(text)).toBeUndefined();
  });
});

describe('PREFIX_CODEC', () => {
  it.each([
    ['text', 'Zürich 🚀'],
    ['an empty text', ''],
    ['bytes', Buffer.from([0, 255, 10, 128])],
    ['no bytes', Buffer.alloc(0)],
    ['an array of bytes', new Uint8Array([1, 2, 3])],
  ])('preserves %s', (_name, payload) => {
    const opened = PREFIX_CODEC.decode(bytesOf(PREFIX_CODEC.encode(payload, STAMP)));
    expect(opened).toEqual({ stream: 'AbC-_012.a', seq: 1295, data: bytesOf(payload) });
  });

  it('keeps text as text, which is cheaper to write, with the same bytes', () => {
    const sealed = PREFIX_CODEC.encode('ü', STAMP);
    expect(typeof sealed).toBe('string');
    expect(bytesOf(sealed)).toEqual(PREFIX_CODEC.encode(Buffer.from('ü'), STAMP));
  });

  it('decodes without copying', () => {
    const data = bytesOf(PREFIX_CODEC.encode('payload', STAMP));
    expect(PREFIX_CODEC.decode(data)?.data.buffer).toBe(data.buffer);
  });

  it('opens one envelope, though the payload is another', () => {
    const inner = PREFIX_CODEC.encode('payload', 'q.0.1');
    expect(PREFIX_CODEC.decode(bytesOf(PREFIX_CODEC.encode(inner, STAMP)))?.data).toEqual(bytesOf(inner));
  });

  it.each([
    ['nothing', ''],
    ['text', 'hello, world'],
    ['the magic alone', '\x01cps'],
    ['a stamp cut off', '\x01cps\x05p.0.'],
    ['an empty stamp', '\x01cps\x00payload'],
    ['a malformed stamp', '\x01cps\x05p.0-1payload'],
    ['a stamp that ends in the payload', '\x01cps\x03p.0.1payload'],
    ['another magic', '\x01cpx\x05p.0.1payload'],
  ])('treats %s as the message of another program', (_name, text) => {
    expect(PREFIX_CODEC.decode(Buffer.from(text))).toBeUndefined();
  });
});
