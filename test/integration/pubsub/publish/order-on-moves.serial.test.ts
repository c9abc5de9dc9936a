import { describe, expect, it } from '@jest/globals';
import { slotOf } from '../../../../src/pubsub/common/channel-name.js';
import { PATTERN_SLOT } from '../../../../src/pubsub/common/subscription-kind.js';
import { engines } from '../../../support/engines.js';
import { ReceivedMessages } from '../../../support/messages.js';
import { unique } from '../../../support/names.js';
import { ownCluster } from '../../../support/own-cluster.js';
import { plainConnections } from '../../../support/plain-connections.js';
import { slowBus } from '../../../support/slow-bus.js';
import { Traffic } from '../../../support/traffic.js';
import { eventually } from '../../../support/waiting.js';

/** As measured where a node syncs its `nodes.conf` to a busy disk. */
const BUS_DELAY_MS = 60;

describe('unnumbered messages whose slot moves, over a cluster bus that is slower than the clients', () => {
  const open = engines();
  const connect = plainConnections();
  const cluster = ownCluster({ masters: 3, replicas: 0 });
  slowBus(cluster, BUS_DELAY_MS);

  it.each([
    ['stay', false],
    ['move too', true],
  ])(
    'arrive once and in order, by channel and by pattern, where patterns %s',
    async (_, movesPatterns) => {
      const [publisher, subscriber] = [1, 2].map(() => open({}, { nodes: cluster.nodes }));
      const base = unique();
      const home = await cluster.ownerOf(PATTERN_SLOT);
      const [other] = (await cluster.masters()).filter(({ port }) => port !== home.port);
      const channel = nameIn(base, home.slots[0]!);
      const [byChannel, byPattern] = [new ReceivedMessages(), new ReceivedMessages()];
      const byOthers = await Promise.all([home, other!].map(({ port }) => plainSubscriber(port, channel)));
      await subscriber!.subscribe({ [channel]: byChannel.handler });
      await subscriber!.psubscribe({ [`${base}*`]: byPattern.handler });
      await publisher!.connect();
      const traffic = new Traffic((data) => publisher!.publish(channel, data), 1_000);
      await traffic.more(200);
      for (const target of [other!, home, other!, home]) {
        if (movesPatterns) await cluster.moveSlot(PATTERN_SLOT, target);
        await cluster.moveSlot(slotOf(channel), target);
        await traffic.more(700);
      }
      await traffic.stop();
      const all = traffic.sent.map((_sent, number) => number);
      for (const received of [byChannel, byPattern]) {
        await received.has(({ data }) => data === traffic.last);
        expect(received.data.map(Number)).toEqual(all);
      }
      for (const received of byOthers) {
        await eventually(() => received.length === all.length, 'everything has come');
        expect(received).toEqual(all);
      }
      expect(traffic.failed).toEqual([]);
    },
    30_000,
  );

  // Messages that the former owner takes when the subscriber has left it reach the subscriber all the same.
  it('are counted exactly, wherever they were published', async () => {
    const [publisher, subscriber] = [1, 2].map(() => open({}, { nodes: cluster.nodes }));
    const channel = unique();
    const home = await cluster.ownerOf(slotOf(channel));
    const [other] = (await cluster.masters()).filter(({ port }) => port !== home.port);
    await subscriber!.subscribe(channel);
    await publisher!.connect();
    const traffic = new Traffic((data) => publisher!.publish(channel, data), 1_000);
    for (const target of [other!, home, other!, home]) {
      await traffic.more(200);
      await cluster.moveSlot(slotOf(channel), target);
      await traffic.more(700);
    }
    await traffic.stop();
    const others = traffic.sent.map(({ outcome }) => outcome).filter((outcome) => outcome !== 1);
    expect(others).toEqual([]);
  }, 30_000);

  /** What a client of another kind receives that is connected to a former or present owner of the slot. */
  async function plainSubscriber(port: number, channel: string): Promise<number[]> {
    const received: number[] = [];
    const redis = connect(port);
    redis.on('message', (_channel, data) => received.push(Number(data)));
    await redis.subscribe(channel);
    return received;
  }
});

/** A name that starts with `base`, in one of these slots but not in the first, where patterns are. */
function nameIn(base: string, [first, last]: readonly [number, number]): string {
  for (let tag = 0; ; tag += 1) {
    const name = `${base}:{${String(tag)}}`;
    if (slotOf(name) > first && slotOf(name) <= last) return name;
  }
}
