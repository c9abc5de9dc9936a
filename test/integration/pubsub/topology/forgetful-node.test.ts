import { describe, expect, it } from '@jest/globals';
import { engines } from '../../../support/engines.js';
import { uniques } from '../../../support/names.js';
import { ownCluster } from '../../../support/own-cluster.js';
import { plainConnections } from '../../../support/plain-connections.js';
import { eventually } from '../../../support/waiting.js';

/** As a node does that was reset, or whose address another cluster uses now: it knows its own slots alone. */
describe('a master that was made to forget the others', () => {
  const open = engines();
  const plain = plainConnections();
  const cluster = ownCluster({ masters: 3, replicas: 0 });

  it('does not take the engine into its view: no slot loses its owner, no subscription moves', async () => {
    const names = uniques(30);
    const clusterOptions = { slotsRefreshInterval: 50 };
    const pubsub = open({}, { nodes: cluster.nodes, clusterOptions, commandTimeout: 1_000 });
    await pubsub.subscribe(names);
    const moves: unknown[] = [];
    pubsub.on('moved', (moved) => moves.push(moved));
    const counts = () =>
      Promise.all(names.map((name) => pubsub.publish(name, '').catch((error: unknown) => error)));
    expect(await counts()).toEqual(names.map(() => 1));

    const [forgetful, ...others] = await cluster.masters();
    const redis = plain(forgetful!.port);
    for (const { id } of others) await redis.call('CLUSTER', 'FORGET', id);
    expect(await redis.call('CLUSTER', 'SLOTS')).toHaveLength(1);
    await redis.config('RESETSTAT');
    await eventually(async () => (await slotsAsked(redis)) >= 3, 'the engine has asked it a few times');

    expect(names.filter((name) => pubsub.nodeOf(name) === undefined)).toEqual([]);
    expect(await counts()).toEqual(names.map(() => 1));
    expect(moves).toEqual([]);
  });
});

async function slotsAsked(redis: { info(section: string): Promise<string> }): Promise<number> {
  return Number(/cmdstat_cluster\|slots:calls=(\d+)/.exec(await redis.info('commandstats'))?.[1] ?? 0);
}
