import { describe, expect, it, jest } from '@jest/globals';
import { engines } from '../../../support/engines.js';
import { ReceivedMessages } from '../../../support/messages.js';
import { unique } from '../../../support/names.js';

describe('a background error without a listener', () => {
  const open = engines();

  it('is a warning of the process, the first of its code, and messages go on', async () => {
    const channel = unique();
    const received = new ReceivedMessages();
    const pubsub = open();
    await pubsub.subscribe({
      [channel]: (message) => {
        received.handler(message);
        throw new Error('boom');
      },
    });
    const warn = jest.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
    try {
      await pubsub.publish(channel, 'one');
      await pubsub.publish(channel, 'two');
      await received.has(2);
      expect(warn.mock.calls).toEqual([
        [
          expect.stringContaining(channel),
          expect.objectContaining({ type: 'ClusterPubSubWarning', code: 'HANDLER_FAILED' }),
        ],
      ]);
    } finally {
      warn.mockRestore();
    }
  });
});
