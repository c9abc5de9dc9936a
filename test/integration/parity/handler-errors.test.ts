import { describe, expect, it } from '@jest/globals';
import type { ClusterPubSubError, DataMessage } from '../../../src/pubsub/index.js';
import { engines } from '../../support/engines.js';
import { ReceivedMessages } from '../../support/messages.js';
import { unique } from '../../support/names.js';
import { next } from '../../support/waiting.js';

describe('onHandlerError', () => {
  const open = engines();
  const throwing = (): never => {
    throw new Error('boom');
  };

  it.each<[string, () => unknown]>([
    ['throws', throwing],
    ['rejects', () => Promise.reject(new Error('boom'))],
  ])('gets what a handler %s with, and the message, in place of the error event', async (_what, fail) => {
    const channel = unique();
    const told: [error: unknown, message: DataMessage][] = [];
    const errors: ClusterPubSubError[] = [];
    const received = new ReceivedMessages();
    const pubsub = open({
      onHandlerError: (error, message) => {
        told.push([error, message]);
        received.handler(message);
      },
    });
    pubsub.on('error', (error) => errors.push(error));
    await pubsub.subscribe({ [channel]: fail });
    await pubsub.publish(channel, 'one');
    await received.has(1);
    await pubsub.publish(channel, 'two');
    await received.has(2);
    expect(told).toEqual([
      [new Error('boom'), { type: 'message', pattern: null, channel, data: 'one' }],
      [new Error('boom'), { type: 'message', pattern: null, channel, data: 'two' }],
    ]);
    expect(errors).toEqual([]);
  });

  it('that throws itself is reported as an error, and messages go on', async () => {
    const channel = unique();
    const pubsub = open({
      onHandlerError: () => {
        throw new Error('worse');
      },
    });
    await pubsub.subscribe({ [channel]: throwing });
    for (let round = 0; round < 2; round += 1) {
      const error = next(pubsub, 'error');
      await pubsub.publish(channel, '');
      expect(await error).toMatchObject({ code: 'HANDLER_FAILED', cause: { message: 'worse' } });
    }
  });

  it('may close the object, which ends everything', async () => {
    const channel = unique();
    let closing!: Promise<void>;
    let told!: () => void;
    const failed = new Promise<void>((resolve) => (told = resolve));
    const pubsub = open({
      onHandlerError: () => {
        closing = pubsub.close();
        told();
      },
    });
    await pubsub.subscribe({ [channel]: throwing });
    await pubsub.publish(channel, '').catch(() => undefined); // its count may come after the end
    await failed;
    await closing;
    expect(pubsub.closed).toBe(true);
    expect(pubsub.subscribed).toBe(false);
  });

  it('that is not a function is refused', () => {
    expect(() => open({ onHandlerError: 'log' as never })).toThrow(
      expect.objectContaining({ code: 'INVALID_ARGUMENT' }),
    );
  });
});
