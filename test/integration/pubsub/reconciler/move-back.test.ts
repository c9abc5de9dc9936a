import { expect, it } from '@jest/globals';
import { slotOf } from '../../../../src/pubsub/common/channel-name.js';
import { engines } from '../../../support/engines.js';
import { ReceivedMessages } from '../../../support/messages.js';
import { unique } from '../../../support/names.js';
import { ownCluster } from '../../../support/own-cluster.js';
import { eventually, next } from '../../../support/waiting.js';

const open = engines();
const cluster = ownCluster({ masters: 3, replicas: 0 });

it.each(['subscribe', 'ssubscribe'] as const)(
  'what was subscribed with %s stands at its owner after its slot went there and back at once',
  async (subscribe) => {
    const channel = unique();
    const slot = slotOf(channel);
    const [received, told] = [new ReceivedMessages(), [] as unknown[]];
    const pubsub = open({}, { nodes: cluster.nodes, clusterOptions: { slotsRefreshInterval: 50 } });
    for (const event of ['interrupted', 'gap'] as const) pubsub.on(event, (hole: unknown) => told.push(hole));
    await pubsub[subscribe]({ [channel]: received.handler });
    const owner = await cluster.ownerOf(slot);
    const target = (await cluster.masters()).find(({ port }) => port !== owner.port)!;
    const countAt = async ({ port }: { port: number }): Promise<number> => {
      const one = { aggregate: false } as const;
      const counts = await (subscribe === 'subscribe'
        ? pubsub.pubsubNumsub(channel, one)
        : pubsub.pubsubShardNumsub(channel, one));
      return counts.get(`127.0.0.1:${String(port)}`)?.get(channel) ?? 0;
    };
    const publish = subscribe === 'subscribe' ? pubsub.publish : pubsub.spublish;
    const traffic = setInterval(() => void publish.call(pubsub, channel, '').catch(() => undefined), 2);
    for (const to of [target, owner]) {
      const moved = next(pubsub, 'moved');
      await cluster.moveSlot(slot, to);
      await moved;
      await eventually(async () => (await countAt(to)) === 1, 'the new owner has it');
    }
    clearInterval(traffic);
    await eventually(async () => (await countAt(target)) === 0, 'it stands there no more');
    expect(await countAt(owner)).toBe(1);
    expect(await publish.call(pubsub, channel, 'after')).toBe(1);
    await received.has(({ data }) => data === 'after', 5_000);
    expect(told).toEqual([]);
  },
);
