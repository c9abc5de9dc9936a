import { describe, expect, it } from '@jest/globals';
import { slotOf } from '../../../../src/pubsub/common/channel-name.js';
import { engines } from '../../../support/engines.js';
import { unique } from '../../../support/names.js';
import { ownCluster } from '../../../support/own-cluster.js';
import { plainConnections } from '../../../support/plain-connections.js';
import { eventually } from '../../../support/waiting.js';

/** Nodes leave replicas that have failed out of their view, and these are two thirds of this cluster. */
describe('a cluster that loses all its replicas at once', () => {
  const open = engines();
  const plain = plainConnections();
  const cluster = ownCluster({ masters: 3, replicas: 2, nodeTimeout: 1_000 });

  it('is still known by its masters: health is not down, and slots are followed', async () => {
    const name = unique('channel');
    const pubsub = open({}, { nodes: cluster.nodes, clusterOptions: { slotsRefreshInterval: 50 } });
    await pubsub.ssubscribe({ [name]: () => undefined });
    const masters = await cluster.masters();
    const connections = masters.map(({ port }) => plain(port));

    for (const replica of await cluster.replicas()) await cluster.kill(replica);
    for (const redis of connections) {
      await eventually(async () => nodesIn(await redis.call('CLUSTER', 'SLOTS')) === 3, 'all are left out');
      await redis.config('RESETSTAT');
    }
    const asked = async () => Math.max(...(await Promise.all(connections.map(slotsAsked))));
    await eventually(async () => (await asked()) >= 3, 'the engine has asked a few times');

    for (const profile of ['people', 'readiness'] as const) {
      expect((await pubsub.health({ for: profile, cacheTtl: 0 })).status).toBe('degraded');
    }
    const target = masters.find(({ port }) => !pubsub.nodeOf(name)!.endsWith(`:${port}`))!;
    await cluster.moveSlot(slotOf(name), target);
    await eventually(() => pubsub.nodeOf(name) === `127.0.0.1:${target.port}`, 'the move is followed');
    expect(await pubsub.spublish(name, '')).toBe(1);
  }, 60_000);
});

/** The number of nodes that `CLUSTER SLOTS` lists. */
function nodesIn(slots: unknown): number {
  return (slots as unknown[][]).reduce((sum, [, , ...nodes]) => sum + nodes.length, 0);
}

async function slotsAsked(redis: { info(section: string): Promise<string> }): Promise<number> {
  return Number(/cmdstat_cluster\|slots:calls=(\d+)/.exec(await redis.info('commandstats'))?.[1] ?? 0);
}
