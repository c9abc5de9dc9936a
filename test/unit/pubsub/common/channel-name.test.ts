import { describe, expect, it } from '@jest/globals';
import {
  bytesOfKey,
  channelKey,
  checkName,
  keyOfBytes,
  slotOf,
} from '../../../../src/pubsub/common/channel-name.js';

describe('channelKey', () => {
  it.each(['news', 'žluťoučký 🐎', '', 'a\u0000b', 'a\nb'])('keeps the bytes of %j', (name) => {
    expect(bytesOfKey(channelKey(name))).toEqual(Buffer.from(name));
  });

  it('is the same for a string and its UTF-8 bytes', () => {
    expect(channelKey('smörgås')).toBe(channelKey(Buffer.from('smörgås')));
    expect(keyOfBytes(Buffer.from('smörgås'))).toBe(channelKey('smörgås'));
  });

  it('distinguishes names that are the same when decoded as UTF-8', () => {
    const [one, other] = [Buffer.from([0xff]), Buffer.from([0xfe])];
    expect(one.toString('utf8')).toBe(other.toString('utf8'));
    expect(channelKey(one)).not.toBe(channelKey(other));
  });
});

// test/integration/pubsub/slots.test.ts asks Redis itself.
describe('slotOf', () => {
  it.each([
    ['123456789', 0x31c3],
    ['', 0],
  ])('of %j is %i', (name, slot) => {
    expect(slotOf(name)).toBe(slot);
  });

  it('uses only the text in braces', () => {
    expect(slotOf('{user}.one')).toBe(slotOf('user'));
    expect(slotOf(Buffer.from([0xff, 0x7b, 0x80, 0x7d, 0x01]))).toBe(slotOf(Buffer.from([0x80])));
  });

  it('counts all where the first braces are empty', () => {
    expect(slotOf('{}a{b}')).not.toBe(slotOf('b'));
    expect(slotOf('{}a{b}')).toBe(slotOf(Buffer.from('{}a{b}')));
  });

  it('is the same for a string and its UTF-8 bytes', () => {
    for (const name of ['smörgås', '🐎', 'a\ud800', '{é}x']) {
      expect(slotOf(name)).toBe(slotOf(Buffer.from(name)));
    }
  });
});

describe('checkName', () => {
  it('says what it was given instead of a name', () => {
    expect(() => checkName(null)).toThrow('received null');
    expect(() => checkName(Symbol('x'))).toThrow('received a symbol');
  });
});
