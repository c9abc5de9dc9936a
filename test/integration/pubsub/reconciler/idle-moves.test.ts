import { describe, expect, it } from '@jest/globals';
import { slotOf } from '../../../../src/pubsub/common/channel-name.js';
import { PATTERN_SLOT, PATTERN_SLOT_TAG } from '../../../../src/pubsub/common/subscription-kind.js';
import type { EngineSnapshot } from '../../../../src/pubsub/health/engine-snapshot.js';
import type { ClusterPubSub } from '../../../../src/pubsub/index.js';
import { engines } from '../../../support/engines.js';
import { unique } from '../../../support/names.js';
import { ownCluster } from '../../../support/own-cluster.js';
import { portOf } from '../../../support/plain-connections.js';
import { eventually, next } from '../../../support/waiting.js';

/** A query a second, and what a busy machine takes. */
const FOLLOWED_WITHIN_MS = 1_600;

const WAYS = ['shard', 'shard and channel', 'channel', 'pattern'] as const;

/** Nobody publishes or subscribes: only signs of Redis, or queries, show that something has moved. */
describe('idle subscriptions of each kind', () => {
  const cluster = ownCluster({ masters: 3, replicas: 1 });
  const open = engines();
  /** What moves its slot moves everything here. */
  const channel = unique(`{${PATTERN_SLOT_TAG}}`);

  it('follow a migration of their slot', async () => {
    const all = await silentEngines();
    const source = await cluster.ownerOf(PATTERN_SLOT);
    const target = (await cluster.masters()).find(({ port }) => port !== source.port)!;
    await follow(all, () => cluster.moveSlot(PATTERN_SLOT, target), target.port);
    await cluster.moveSlot(PATTERN_SLOT, source);
  });

  it('follow a migration of a slot that has no probe channel', async () => {
    const elsewhere = unique('{elsewhere}');
    const pubsub = open({}, { nodes: cluster.nodes });
    await pubsub.subscribe(elsewhere);
    await eventually(() => pubsub.metrics().probes >= 2, 'it was silent for seconds', 15_000);
    const slot = slotOf(elsewhere);
    const source = await cluster.ownerOf(slot);
    const target = (await cluster.masters()).find(({ port }) => port !== source.port)!;
    await follow([pubsub], () => cluster.moveSlot(slot, target), target.port, elsewhere);
  });

  it('follow a planned failover', async () => {
    const all = await silentEngines();
    const [replica] = await cluster.replicasOf(await cluster.ownerOf(PATTERN_SLOT));
    await follow(all, () => cluster.failover(replica!), replica!.port);
  });

  /** An engine for each way to subscribe; all have been silent for seconds. */
  async function silentEngines(): Promise<ClusterPubSub[]> {
    const all = await Promise.all(
      WAYS.map(async (way) => {
        const pubsub = open({}, { nodes: cluster.nodes });
        if (way === 'pattern') await pubsub.psubscribe(`${channel}*`);
        if (way.includes('channel')) await pubsub.subscribe(channel);
        if (way.includes('shard')) await pubsub.ssubscribe(channel);
        return pubsub;
      }),
    );
    // Each has sent one, to find out, and then one of them for all.
    const probes = () => all.reduce((sum, pubsub) => sum + pubsub.metrics().probes, 0);
    await eventually(() => probes() >= all.length + 4, 'they were silent for 4 s', 15_000);
    return all;
  }

  async function follow(
    all: readonly ClusterPubSub[],
    move: () => Promise<void>,
    port: number,
    name = channel,
  ): Promise<void> {
    const moved = all.map((pubsub) => next(pubsub, 'moved').then(() => performance.now()));
    await move();
    const done = performance.now();
    const took = (await Promise.all(moved)).map((at) => at - done);
    expect(took.filter((ms) => ms > FOLLOWED_WITHIN_MS)).toEqual([]);
    for (const pubsub of all) {
      expect(portOf(pubsub.nodeOf(name))).toBe(port);
      await eventually(() => {
        const { subscriptions } = pubsub.snapshot() as EngineSnapshot;
        return subscriptions.every(
          ({ state }) => state.activeNodes.size === 1 && portOf(state.assigned) === port,
        );
      }, 'its subscriptions have followed');
    }
  }
});
