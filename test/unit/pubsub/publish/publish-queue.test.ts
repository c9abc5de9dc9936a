import { describe, expect, it } from '@jest/globals';
import { OutgoingChannel } from '../../../../src/pubsub/publish/outgoing-channel.js';
import { PublishRequest } from '../../../../src/pubsub/publish/publish-request.js';
import { PublishQueue } from '../../../../src/pubsub/publish/publish-queue.js';

const channel = new OutgoingChannel('SPUBLISH', 'channel', false, 'publisher.0');

describe('PublishQueue', () => {
  it('gives out in the order of the calls what came in that order', () => {
    expect(serials(queueOf(1, 2, 3).drain())).toEqual([1, 2, 3]);
  });

  it('puts what Redis has sent back before what was published after it', () => {
    const queue = queueOf(5, 6, 9);
    for (const serial of [2, 7, 1, 8, 10]) queue.add(request(serial));
    expect(serials(queue.drain())).toEqual([1, 2, 5, 6, 7, 8, 9, 10]);
  });

  it('is in order whatever the order of arrival', () => {
    const shuffled = Array.from({ length: 101 }, (_, index) => (index * 37) % 101);
    expect(serials(queueOf(...shuffled).drain())).toEqual([...shuffled].sort((a, b) => a - b));
  });

  it('is empty when it was drained, and can be used again', () => {
    const queue = queueOf(1, 2);
    queue.drain();
    expect(queue.length).toBe(0);
    expect(queue.peek()).toBeUndefined();
    expect(queue.drain()).toEqual([]);
    queue.add(request(3));
    expect(serials(queue.drain())).toEqual([3]);
  });

  it('shows the oldest without taking it', () => {
    const queue = queueOf(4, 2);
    expect(queue.peek()?.serial).toBe(2);
    expect(queue.length).toBe(2);
  });

  describe('when it is full', () => {
    it('refuses the new message, or drops the oldest', () => {
      const queue = queueOf(1, 2);
      expect(queue.addBounded(request(3), false, 'reject')).toBeUndefined();
      expect(queue.addBounded(request(4), true, 'reject')?.serial).toBe(4);
      expect(queue.addBounded(request(5), true, 'drop-oldest')?.serial).toBe(1);
      expect(serials(queue.drain())).toEqual([2, 3, 5]);
    });

    it('keeps messages that were published already and wait for their count to be verified', () => {
      const queue = new PublishQueue();
      const counted = (serial: number) => Object.assign(request(serial), { unverifiedCount: 1 });
      expect(queue.addBounded(counted(1), true, 'reject')).toBeUndefined();
      expect(queue.addBounded(request(2), true, 'drop-oldest')?.serial).toBe(2);
      queue.add(request(3));
      expect(queue.addBounded(request(4), true, 'drop-oldest')?.serial).toBe(3);
      expect(serials(queue.drain())).toEqual([1, 4]);
    });
  });

  it('takes out those whose time is over, oldest first, also from the middle', () => {
    const queue = new PublishQueue();
    for (const [serial, deadline] of [
      [1, 200],
      [2, 100],
      [3, 300],
      [4, 101],
    ] as const) {
      queue.add(request(serial, deadline));
    }
    expect(queue.takeExpired(99)).toEqual([]);
    expect(queue.length).toBe(4);
    expect(serials(queue.takeExpired(101))).toEqual([2, 4]);
    expect(serials(queue.drain())).toEqual([1, 3]);
  });
});

function queueOf(...given: number[]): PublishQueue {
  const queue = new PublishQueue();
  for (const serial of given) queue.add(request(serial));
  return queue;
}

function request(serial: number, deadline = 0): PublishRequest {
  const listener = { onReply: () => undefined, settled: () => undefined };
  const observer = { published: () => undefined, failed: () => undefined };
  const made = new PublishRequest(listener, channel, '', false, false, serial, observer);
  made.deadline = deadline;
  return made;
}

function serials(requests: readonly PublishRequest[]): number[] {
  return requests.map(({ serial }) => serial);
}
