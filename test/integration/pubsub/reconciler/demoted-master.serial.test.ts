import { afterEach, describe, expect, it } from '@jest/globals';
import { slotOf } from '../../../../src/pubsub/common/channel-name.js';
import type { Gap } from '../../../../src/pubsub/index.js';
import { engines } from '../../../support/engines.js';
import { ReceivedMessages } from '../../../support/messages.js';
import { unique } from '../../../support/names.js';
import { ownCluster } from '../../../support/own-cluster.js';
import { slowNetwork } from '../../../support/slow-network.js';
import { Traffic } from '../../../support/traffic.js';

/** A few round trips of clients fit into the time for which views leave out a demoted node. */
const DELAY_MS = 30;

describe('unnumbered messages to a shard channel', () => {
  const open = engines();
  const cluster = ownCluster({ masters: 3, replicas: 1 });
  const connection = slowNetwork(cluster, DELAY_MS);
  const running: Traffic[] = [];

  afterEach(() => Promise.all(running.splice(0).map((traffic) => traffic.stop())));

  /** Publishes to `channel` while `act` runs; returns the messages that are neither delivered nor in a reported gap. */
  const lostThrough = async (channel: string, act: () => Promise<void>) => {
    const [publisher, subscriber] = [open({}, await connection()), open({}, await connection())];
    const gaps: Gap[] = [];
    subscriber.on('gap', (gap) => gaps.push(gap));
    const received = new ReceivedMessages();
    await subscriber.ssubscribe({ [channel]: received.handler });
    await publisher.connect();
    const traffic = new Traffic((data) => publisher.spublish(channel, data), 250);
    running.push(traffic);
    await traffic.more(50);
    await act();
    await traffic.more(250);
    await traffic.stop();
    await received.has(({ data }) => data === traffic.last);
    const arrived = new Set(received.data);
    return traffic.sent
      .map((message, number) => ({ ...message, number }))
      .filter(({ outcome, number }) => typeof outcome === 'number' && !arrived.has(String(number)))
      .filter(
        ({ calledAt, answeredAt }) =>
          !gaps.some(({ since, until }) => calledAt <= until.getTime() && answeredAt >= since.getTime()),
      );
  };

  it.each([1, 2, 3])('are delivered or in a gap through a planned failover (%d of 3)', async () => {
    const channel = unique();
    const owner = await cluster.ownerOf(slotOf(channel));
    const [replica] = await cluster.replicasOf(owner);
    expect(await lostThrough(channel, () => cluster.failover(replica!))).toEqual([]);
  });

  // The new owner leaves the former one out of CLUSTER SLOTS until it has loaded the data.
  it.each(['moveSlot', 'migrateSlots'] as const)(
    'are delivered or in a gap when the last slot of their master leaves by %s',
    async (way) => {
      const channel = unique();
      const slot = slotOf(channel);
      const home = await cluster.ownerOf(slot);
      const added = await cluster.addMaster();
      await cluster.moveSlot(slot, added);
      const leave = (): Promise<void> =>
        way === 'moveSlot' ? cluster.moveSlot(slot, home) : cluster.migrateSlots([[slot, slot]], home);
      expect(await lostThrough(channel, leave)).toEqual([]);
      await cluster.settled();
    },
  );
});
