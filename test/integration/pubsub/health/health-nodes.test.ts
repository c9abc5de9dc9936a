import { afterEach, describe, expect, it } from '@jest/globals';
import type { Redis } from 'ioredis';
import type { LocalNode } from '../../../../src/testing/index.js';
import { ServerGroup } from '../../../../src/testing/server-group.js';
import { engines } from '../../../support/engines.js';
import { unique } from '../../../support/names.js';
import { ownCluster } from '../../../support/own-cluster.js';
import { plainConnections } from '../../../support/plain-connections.js';
import { eventually } from '../../../support/waiting.js';

const addressOf = ({ host, port }: { host: string; port: number }): string => `${host}:${port}`;

/** For what is not about time, on a machine that is busy with other things, in ms. */
const PATIENT = 10_000;

describe('nodes that the view of slots does not show', () => {
  const open = engines();
  const plain = plainConnections();
  const cluster = ownCluster({ masters: 3, replicas: 1, nodeTimeout: 1_500 });

  afterEach(async () => {
    await Promise.all(cluster.nodes.map((node) => cluster.resume(node)));
    await cluster.settled();
  });

  const engine = () => open({}, { nodes: cluster.nodes.slice(0, 3) });
  /** Waits until all other nodes flag `node` as failed, or no longer do. */
  const isGivenUp = async (node: LocalNode, wanted = true): Promise<void> => {
    const others = cluster.nodes.filter(({ port }) => port !== node.port).map(({ port }) => plain(port));
    const asTold = async (other: Redis): Promise<boolean> => {
      const lines = String(await other.call('CLUSTER', 'NODES')).split('\n');
      const flags = lines.find((line) => line.includes(`:${node.port}@`))?.split(' ')[2] ?? '';
      return flags.split(',').includes('fail') === wanted;
    };
    const told = async (): Promise<boolean> => (await Promise.all(others.map(asTold))).every(Boolean);
    await eventually(told, `it is ${wanted ? 'given up' : 'found to be back'}`, 20_000);
  };

  it('a replica that has failed: its subscribers are not counted, and the report says so', async () => {
    const pubsub = engine();
    const channel = unique();
    const [replica] = await cluster.replicas();
    await plain(replica!.port).subscribe(channel);
    const watched = { channels: [channel], minSubscribers: 1, cacheTtl: 0, timeout: PATIENT };
    expect(await pubsub.health(watched)).toMatchObject({ status: 'up', numsub: { [channel]: 1 } });

    await cluster.pause(replica!);
    await isGivenUp(replica!);
    await eventually(async () => (await pubsub.pubsubNumpat({ aggregate: false })).size === 5, 'it is gone');
    const began = performance.now();
    expect(await pubsub.health(watched)).toMatchObject({
      status: 'down', // no message would get to it either
      reasons: [
        `Channel "${channel}" has 0 of 1 required subscribers.`,
        expect.stringMatching(`^Replica ${addressOf(replica!)} is unreachable: .* not counted\\.$`),
      ],
      masters: { known: 3, reachable: 3 },
      replicas: { known: 3, reachable: 2 },
      complete: false,
    });
    // A failed node delays neither.
    expect(await pubsub.pubsubNumsub(channel)).toEqual(new Map([[channel, 0]]));
    expect(performance.now() - began).toBeLessThan(1_500);
  });

  it('a replica that hangs and has failed delays no query, and is counted when it is back', async () => {
    const pubsub = engine();
    const channel = unique();
    const [replica] = await cluster.replicas();
    await plain(replica!.port).subscribe(channel);
    await cluster.pause(replica!);
    await isGivenUp(replica!);
    const count = () => pubsub.pubsubNumsub(channel);
    const began = performance.now();
    for (let query = 0; query < 10; query++) {
      expect(await count()).toEqual(new Map([[channel, 0]]));
    }
    expect(performance.now() - began).toBeLessThan(1_000);

    await cluster.resume(replica!);
    await isGivenUp(replica!, false);
    expect(await count()).toEqual(new Map([[channel, 1]]));
  });

  it('a node that has failed, and another Redis has its address: the other one is not contacted', async () => {
    const [failed] = await cluster.replicas();
    await cluster.kill(failed!);
    const foreign = new ServerGroup({}, undefined);
    const foreignSubscriber = plain(failed!.port, { lazyConnect: true });
    try {
      await isGivenUp(failed!);
      await foreign.launch(1, failed!.port);
      const channel = unique();
      await foreignSubscriber.subscribe(channel);
      const pubsub = engine();
      await pubsub.subscribe(channel);
      expect(await pubsub.pubsubNumsub(channel)).toEqual(new Map([[channel, 1]]));
      const perNode = await pubsub.pubsubNumpat({ aggregate: false });
      expect([...perNode.keys()]).not.toContain(addressOf(failed!));
      const listed = pubsub.pubsubNumpat({ nodes: addressOf(failed!) });
      await expect(listed).rejects.toMatchObject({
        code: 'CLUSTER_UNREACHABLE',
        message: `PUBSUB NUMPAT at ${addressOf(failed!)} got no reply: flagged "fail" by the cluster`,
      });
      expect(await pubsub.health({ channels: [channel], timeout: PATIENT })).toMatchObject({
        status: 'degraded',
        reasons: [
          `Replica ${addressOf(failed!)} is unreachable: flagged "fail" by the cluster. Its subscribers are not counted.`,
        ],
        numsub: { [channel]: 1 },
        replicas: { known: 3, reachable: 2 },
        complete: false,
      });
    } finally {
      foreignSubscriber.disconnect(); // it must not subscribe again when the node is back
      await foreign.stop();
      await cluster.restart(failed!);
    }
  });

  it('a master without slots: its subscribers are counted like all others', async () => {
    const pubsub = engine();
    const channel = unique();
    await pubsub.subscribe(channel);
    const added = await cluster.addMaster();
    await plain(added.port).subscribe(channel);
    const health = () => pubsub.health({ channels: [channel], cacheTtl: 0, timeout: PATIENT });
    await eventually(async () => (await health()).numsub[channel] === 2, 'it is counted');
    expect(await health()).toMatchObject({
      status: 'up',
      masters: { known: 3 },
      replicas: { known: 4, reachable: 4 },
      complete: true,
    });
    expect(await pubsub.pubsubNumsub(channel)).toEqual(new Map([[channel, 2]]));
    const perNode = await pubsub.pubsubNumsub(channel, { aggregate: false, nodes: 'all-masters' });
    expect(perNode.get(addressOf(added))).toEqual(new Map([[channel, 1]]));
    const replicas = await pubsub.pubsubNumsub(channel, { aggregate: false, nodes: 'all-replicas' });
    expect([...replicas.keys()].sort()).toEqual((await cluster.replicas()).map(addressOf).sort());

    const nodes = [addressOf(added), pubsub.nodeOf(channel)!];
    expect([...(await pubsub.pubsubNumsub(channel, { aggregate: false, nodes })).keys()].sort()).toEqual(
      nodes.sort(),
    );
    expect(await pubsub.pubsubNumsub(channel, { nodes: addressOf(added) })).toEqual(new Map([[channel, 1]]));
    const nowhere = pubsub.pubsubNumpat({ nodes: '127.0.0.1:1' });
    await expect(nowhere).rejects.toMatchObject({ code: 'UNKNOWN_NODE' });

    await cluster.pause(added);
    expect(await pubsub.health({ cacheTtl: 0, timeout: 500 })).toMatchObject({
      status: 'degraded',
      reasons: [expect.stringMatching(`^Slotless master ${addressOf(added)} is unreachable: `)],
      complete: false,
    });
  });

  it('are left out where the ACL forbids CLUSTER NODES', async () => {
    const rules = ['on', '>secret', '+@all', '-cluster|nodes', '~*', '&*'];
    for (const { port } of cluster.nodes) await plain(port).call('ACL', 'SETUSER', 'blind', ...rules);
    const redisOptions = { username: 'blind', password: 'secret' };
    const pubsub = open({}, { nodes: cluster.nodes, clusterOptions: { redisOptions } });
    expect(await pubsub.health({ timeout: PATIENT })).toMatchObject({ status: 'up', replicas: { known: 3 } });
    expect((await pubsub.pubsubNumpat({ aggregate: false })).size).toBe(6);
  });
});
