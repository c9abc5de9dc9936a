import { expect, it } from '@jest/globals';
import { engines } from '../../../support/engines.js';
import { ReceivedMessages } from '../../../support/messages.js';
import { unique } from '../../../support/names.js';
import { plainConnections } from '../../../support/plain-connections.js';
import { sharedCluster } from '../../../support/shared-cluster.js';
import { eventually, next } from '../../../support/waiting.js';
import type { ClusterPubSub } from '../../../../src/pubsub/index.js';
import type { EngineSnapshot } from '../../../../src/pubsub/health/engine-snapshot.js';

const open = engines();
const plain = plainConnections();

const KINDS = [
  ['subscribe', 'publish'],
  ['ssubscribe', 'spublish'],
] as const;

it.each(KINDS)(
  'a subscription (%s) whose confirmation was forgotten is active again after the next refresh',
  async (subscribe, publish) => {
    const { pubsub, channel, received, subscription } = await subscribed(subscribe);
    subscription.state.leaveAll();
    expect(pubsub.metrics().confirmed).toBe(0);
    await eventually(() => pubsub.metrics().confirmed === 1, 'it is confirmed again');
    expect(subscription.state.name).toBe('active');
    expect(await pubsub[publish](channel, 'after')).toBe(1);
    await received.has(1);
  },
);

it.each(KINDS)(
  'a subscription (%s) that the node and the books of its connection have lost comes back with a gap',
  async (subscribe, publish) => {
    const { pubsub, channel, received, subscription, subscriber } = await subscribed(subscribe);
    const node = plain(subscriber.node);
    const count = async (): Promise<unknown> =>
      (subscribe === 'subscribe'
        ? await node.pubsub('NUMSUB', channel)
        : await node.pubsub('SHARDNUMSUB', channel))[1];
    const gap = next(pubsub, 'gap');
    subscriber['books'].clear();
    await subscriber['connection']!.unsubscribe(subscription.kind, [subscription.key]);
    expect(await gap).toMatchObject({ names: [channel], node: subscriber.node, reason: 'connection-lost' });
    expect(await count()).toBe(1);
    expect(pubsub.status).toBe('connected');
    expect(await pubsub[publish](channel, 'after')).toBe(1);
    await received.has(1);
    expect(received.data).toEqual(['after']);
  },
);

it('a subscription that is active stays untouched by refreshes', async () => {
  const { pubsub, subscriber, subscription } = await subscribed('subscribe');
  const told: unknown[] = [];
  for (const event of ['interrupted', 'gap', 'status'] as const)
    pubsub.on(event, (one: unknown) => told.push(one));
  const before = subscriber.sizeOf(subscription.scope);
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect([subscriber.sizeOf(subscription.scope), subscriber.state, told]).toEqual([before, 'idle', []]);
});

async function subscribed(subscribe: 'subscribe' | 'ssubscribe') {
  const channel = unique();
  const received = new ReceivedMessages();
  const pubsub: ClusterPubSub = open(
    {},
    {
      nodes: sharedCluster(),
      shared: false,
      clusterOptions: { slotsRefreshInterval: 50 },
    },
  );
  await pubsub[subscribe]({ [channel]: received.handler });
  const { subscriptions, carriers } = pubsub.snapshot() as EngineSnapshot;
  const subscription = subscriptions[0]!;
  const subscriber = carriers.to(subscription.state.assigned!)[0]!;
  await eventually(() => subscriber.state === 'idle', 'its node has nothing more to do');
  return { pubsub, channel, received, subscription, subscriber };
}
