import { beforeAll, describe, expect, it } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { slotOf } from '../../../../src/pubsub/common/channel-name.js';
import { MAX_WATCHED_SLOTS } from '../../../../src/pubsub/liveness/slot-watch.js';
import { engines } from '../../../support/engines.js';
import { uniques } from '../../../support/names.js';
import { ownCluster } from '../../../support/own-cluster.js';
import { plainConnections } from '../../../support/plain-connections.js';
import { eventually } from '../../../support/waiting.js';

const MEASURED_MS = 8_000;

describe('a cluster whose slots are in 16,384 ranges', () => {
  const open = engines();
  const plain = plainConnections();
  const cluster = ownCluster({ masters: 2, replicas: 0, nodeTimeout: 60_000 });

  beforeAll(async () => {
    const nodes = cluster.nodes.map(({ port }) => plain(port));
    const ids = await Promise.all(nodes.map((node) => node.cluster('MYID')));
    // Each time the other node contradicts over the bus, until it has given its slots away itself.
    for (const node of [...nodes, ...nodes, ...nodes]) {
      const pipeline = node.pipeline();
      for (let slot = 0; slot < 16_384; slot += 1) {
        pipeline.call('CLUSTER', 'SETSLOT', slot, 'NODE', ids[slot % 2]!);
      }
      await pipeline.exec();
    }
    await eventually(async () => {
      const ranges = await Promise.all(
        nodes.map(async (node) => ((await node.cluster('SLOTS')) as unknown[]).length),
      );
      return ranges.every((count) => count === 16_384);
    }, 'the slots are dealt out one by one');
  }, 60_000);

  it('costs an idle engine at most 3 % of a core, though it looks once a second, and it follows a move', async () => {
    const pubsub = open({}, { nodes: cluster.nodes });
    const names = uniques(MAX_WATCHED_SLOTS + 1); // more than get a sign when their slot moves
    await pubsub.subscribe(names);
    await sleep(6_000); // the time in which more changes would be expected
    const before = process.cpuUsage();
    const startedAt = performance.now();
    await sleep(MEASURED_MS);
    const { user, system } = process.cpuUsage(before);
    const share = (user + system) / 1_000 / (performance.now() - startedAt);
    expect(share).toBeLessThan(0.03);

    const [name] = names as [string];
    const target = cluster.nodes.find(({ host, port }) => pubsub.nodeOf(name) !== `${host}:${port}`)!;
    await cluster.moveSlot(slotOf(name), target);
    const moved = () => pubsub.nodeOf(name) === `${target.host}:${target.port}`;
    await eventually(moved, 'the engine knows the new owner', 3_000);
    expect(await pubsub.publish(name, '')).toBe(1);
  });
});
