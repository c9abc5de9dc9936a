import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { OutgoingChannel } from '../../../../src/pubsub/publish/outgoing-channel.js';

describe('OutgoingChannel', () => {
  beforeEach(() => {
    jest.useFakeTimers();
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  it('knows the slot of its channel, by its hash tag', () => {
    expect(outgoing('a:{foo}').slot).toBe(outgoing('foo').slot);
    expect(outgoing('foo').slot).toBe(12_182); // CLUSTER KEYSLOT foo
  });

  describe('stamps', () => {
    it('counts from 0, in base 36, and leaves nothing out', () => {
      const one = outgoing();
      const stamps = Array.from({ length: 38 }, () => one.nextStamp());
      expect(stamps.slice(0, 3)).toEqual(['me.0.0', 'me.0.1', 'me.0.2']);
      expect(stamps.slice(35)).toEqual(['me.0.z', 'me.0.10', 'me.0.11']);
    });

    it('starts at 0 again under a new name', () => {
      const one = outgoing();
      one.nextStamp();
      one.restart('me.7');
      expect([one.nextStamp(), one.nextStamp()]).toEqual(['me.7.0', 'me.7.1']);
    });
  });

  describe('the number of subscribers to expect', () => {
    it('is 0 while nothing was counted', () => {
      const one = outgoing();
      expect(one.counted).toBe(false);
      expect(one.expected).toBe(0);
    });

    it('is the last count', () => {
      const one = outgoing();
      one.note(0);
      expect(one.counted).toBe(true);
      expect(one.expected).toBe(0);
      one.note(3);
      expect(one.expected).toBe(3);
    });

    it('is the one before a drop for half a second, because subscribers may only have moved', () => {
      const one = outgoing();
      one.note(3);
      one.note(0);
      expect(one.expected).toBe(3);
      jest.advanceTimersByTime(500);
      expect(one.expected).toBe(3);
      jest.advanceTimersByTime(1);
      expect(one.expected).toBe(0);
    });

    it('is the one before the first of several drops in a row', () => {
      const one = outgoing();
      one.note(3);
      one.note(2);
      jest.advanceTimersByTime(400);
      one.note(0);
      jest.advanceTimersByTime(400);
      expect(one.expected).toBe(3);
      jest.advanceTimersByTime(101);
      expect(one.expected).toBe(0);
    });

    it('is the one before the last drop, where the drops are apart', () => {
      const one = outgoing();
      one.note(3);
      one.note(2);
      jest.advanceTimersByTime(501);
      one.note(1);
      expect(one.expected).toBe(2);
    });

    it('is what is there when more have come than had left', () => {
      const one = outgoing();
      one.note(2);
      one.note(1);
      one.note(4);
      expect(one.expected).toBe(4);
    });

    it('is the present count once that was accepted', () => {
      const one = outgoing();
      one.note(3);
      one.note(1);
      expect(one.expected).toBe(3);
      one.accept();
      expect(one.expected).toBe(1);
      expect(one.settledAt).toBe(performance.now());
    });
  });
});

function outgoing(channel = 'channel'): OutgoingChannel {
  return new OutgoingChannel('SPUBLISH', channel, false, 'me.0');
}
