import { describe, expect, it } from '@jest/globals';
import type { PubSubMessage } from '../../../src/pubsub/index.js';
import { engines } from '../../support/engines.js';
import { ReceivedMessages } from '../../support/messages.js';
import { unique } from '../../support/names.js';
import { sharedCluster } from '../../support/shared-cluster.js';
import { next } from '../../support/waiting.js';

describe('pushHandler', () => {
  const open = engines();

  it.each([2, 3] as const)(
    'gets confirmations and messages as they arrive, and leaves nothing to read (RESP%i)',
    async (protocol) => {
      const channel = unique();
      const seen: [message: PubSubMessage, node: string | undefined][] = [];
      const pubsub = open(
        { pushHandler: (message, node) => seen.push([message, node]) },
        { nodes: sharedCluster(), clusterOptions: { redisOptions: { protocol } } },
      );
      await pubsub.subscribe(channel);
      await pubsub.ssubscribe(channel);
      await pubsub.publish(channel, 'classic');
      await pubsub.spublish(channel, 'sharded');
      await pubsub.unsubscribe();
      await pubsub.sunsubscribe();
      const node = pubsub.nodeOf(channel);
      expect(seen).toEqual([
        [{ type: 'subscribe', pattern: null, channel, data: 1 }, undefined],
        [{ type: 'ssubscribe', pattern: null, channel, data: 1 }, undefined],
        [{ type: 'message', pattern: null, channel, data: 'classic' }, node],
        [{ type: 'smessage', pattern: null, channel, data: 'sharded' }, node],
        [{ type: 'unsubscribe', pattern: null, channel, data: 0 }, undefined],
        [{ type: 'sunsubscribe', pattern: null, channel, data: 0 }, undefined],
      ]);
      expect(await pubsub.getMessage()).toBeNull();
    },
  );

  it("leaves the messages of a subscription's own handler to that", async () => {
    const [own, other] = [unique('own'), unique('other')];
    const received = new ReceivedMessages();
    const seen: unknown[] = [];
    const pubsub = open({ ignoreSubscribeMessages: true, pushHandler: ({ data }) => seen.push(data) });
    await pubsub.subscribe({ [own]: received.handler }, other);
    await pubsub.publish(own, 'to its own');
    await pubsub.publish(other, 'to the other');
    await pubsub.unsubscribe();
    expect(received.data).toEqual(['to its own']);
    expect(seen).toEqual(['to the other']);
  });

  it('that fails is reported, and what comes after goes on', async () => {
    const channel = unique();
    const pubsub = open({ pushHandler: () => Promise.reject(new Error('boom')) });
    const confirmed = next(pubsub, 'error');
    await pubsub.subscribe(channel);
    expect(await confirmed).toMatchObject({ code: 'HANDLER_FAILED', cause: { message: 'boom' } });
    const received = next(pubsub, 'error');
    await pubsub.publish(channel, '');
    expect(await received).toMatchObject({ code: 'HANDLER_FAILED' });
  });
});
