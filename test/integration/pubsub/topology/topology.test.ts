import { afterEach, describe, expect, it } from '@jest/globals';
import type { Redis } from 'ioredis';
import { ConnectionFactory } from '../../../../src/pubsub/connection/connection-factory.js';
import type { Moved } from '../../../../src/pubsub/index.js';
import { nodeKey } from '../../../../src/pubsub/common/node-address.js';
import { CommandConnectionPool } from '../../../../src/pubsub/connection/command-connection-pool.js';
import { readStartupNodes } from '../../../../src/pubsub/connection/startup-nodes.js';
import { Topology } from '../../../../src/pubsub/topology/topology.js';
import type { LocalCluster } from '../../../../src/testing/index.js';
import { engines } from '../../../support/engines.js';
import { ownCluster } from '../../../support/own-cluster.js';
import { plainConnections, portOf } from '../../../support/plain-connections.js';
import { eventually } from '../../../support/waiting.js';

/** Nodes hang for seconds here, and are to be heard when they come back. */
const commandTimeout = 20_000;

const plain = plainConnections();
const opened: { close(): Promise<void> }[] = [];

afterEach(async () => {
  await Promise.all(opened.splice(0).map((view) => view.close()));
});

describe('a topology', () => {
  const open = engines();
  const cluster = ownCluster({ masters: 3, replicas: 1, nodeTimeout: 1_000 });

  it('notices a move without a signal, and reports which slot moved from where to where, and when', async () => {
    const { topology, moves, moved } = await view(cluster);
    const slot = 100;
    const [source, target] = await sourceAndTarget(cluster, slot);
    expect(topology.movedAt(slot)).toBe(-Infinity);
    expect(topology.changedWithin(1_000_000)).toBe(false);
    const before = performance.now();

    const noticed = moved();
    await cluster.moveSlot(slot, { port: portOf(target) });
    await noticed;

    expect(moves).toEqual([
      {
        slots: 1,
        changes: [{ from: source, to: target, ranges: [[slot, slot]] }],
        masters: expect.arrayContaining([source, target]),
      },
    ]);
    expect(topology.movedAt(slot)).toBeGreaterThan(before);
    expect(topology.movedAt(slot)).toBeLessThanOrEqual(performance.now());
    expect(topology.movedAt(slot + 1)).toBe(-Infinity);
    expect(topology.changedWithin(performance.now() - before)).toBe(true);
    expect(topology.changedWithin(0)).toBe(false);
    await cluster.moveSlot(slot, { port: portOf(source) });
  });

  it('reports a failover as one change of all its slots', async () => {
    const { topology, moves, moved } = await view(cluster);
    const old = topology.ownerOf(16_383)!;
    const [replica] = await cluster.replicasOf({ port: portOf(old) });
    const noticed = moved();
    await cluster.failover(replica!);
    await noticed;
    expect(moves).toHaveLength(1);
    expect(moves[0]).toMatchObject({ changes: [{ from: old, to: nodeKey(replica!) }] });
    const { slots, changes } = moves[0]!;
    expect(slots).toBe(changes[0]!.ranges.reduce((sum, [first, last]) => sum + last - first + 1, 0));
    expect(changes[0]!.ranges.at(-1)![1]).toBe(16_383);
  });

  it('trusts MOVED at once, and queries the new owner before others that may not know yet', async () => {
    const pubsub = open({}, { nodes: cluster.nodes, clusterOptions: { slotsRefreshInterval: 0 } });
    await pubsub.connect();
    const moves: Moved[] = [];
    const channel = 'told by MOVED';
    const slot = await plain(cluster.nodes[0]!.port).cluster('KEYSLOT', channel);
    const [source, target] = await sourceAndTarget(cluster, slot);
    await cluster.moveSlot(slot, { port: portOf(target) });
    pubsub.on('moved', (event) => moves.push(event));
    await pubsub.spublish(channel, '');
    expect(moves).toMatchObject([{ slots: 1, changes: [{ from: source, to: target }] }]);
    expect(pubsub.nodeOf(channel)).toBe(target);
    await cluster.moveSlot(slot, { port: portOf(source) });
  });

  it('asks at most 20 times a second, however many signs of a change there are, and the last sign counts', async () => {
    const { topology, moves } = await view(cluster, { slotsRefreshInterval: 0 });
    const asked = async (): Promise<number> => {
      const counts = await Promise.all(cluster.nodes.map(({ port }) => slotsAsked(plain(port))));
      return counts.reduce((sum, count) => sum + count);
    };
    const [source, target] = await sourceAndTarget(cluster, 0);
    const [before, since] = [await asked(), performance.now()];
    let signs = 0;
    while (performance.now() - since < 500) {
      topology.refreshSoon();
      signs += 1;
      await new Promise((resolve) => setImmediate(resolve));
    }
    const most = 2 + (performance.now() - since) / 50;
    expect((await asked()) - before).toBeLessThanOrEqual(most);
    expect(signs).toBeGreaterThan(100);

    await cluster.moveSlot(0, { port: portOf(target) });
    topology.refreshSoon();
    topology.refreshSoon();
    await eventually(() => moves.length > 0, 'the move is noticed');
    await cluster.moveSlot(0, { port: portOf(source) });
  });

  it('does not go back to a master that was away while its replica took over, and does not know yet', async () => {
    const { topology, moves, moved } = await view(cluster);
    const stale = topology.ownerOf(0)!;
    const [replica] = await cluster.replicasOf({ port: portOf(stale) });
    const witness = plain(portOf(stale), { commandTimeout });
    await witness.ping();
    const promoted = moved();

    // What it is asked while it is stopped it answers the moment it goes on, from what it knew.
    await cluster.pause({ port: portOf(stale) });
    const asked = topology.refreshFrom(stale);
    await cluster.settled();
    await promoted;
    expect(topology.ownerOf(0)).toBe(nodeKey(replica!));
    moves.length = 0;
    const said = witness.cluster('SLOTS');
    await flushed(witness);
    await cluster.resume({ port: portOf(stale) });
    await asked;

    expect((await said).find(([first]) => first === 0)?.[2]?.[1]).toBe(portOf(stale));
    expect(topology.ownerOf(0)).toBe(nodeKey(replica!));
    await cluster.settled();
    await topology.refresh();
    expect(moves.flatMap(({ changes }) => changes)).toEqual([]);
  });

  it('waits for no node that hangs, not even when the others say that the cluster is down', async () => {
    const { topology, moves } = await view(cluster);
    const master = await cluster.ownerOf(0);
    const shard = [master, ...(await cluster.replicasOf(master))];
    const other = (await cluster.masters()).find(({ port }) => port !== master.port)!;
    const witness = plain(other.port);
    await Promise.all(shard.map((node) => cluster.pause(node)));
    await eventually(
      async () => (await witness.cluster('INFO')).includes('cluster_state:fail'),
      'the cluster is down',
    );
    const since = performance.now();
    for (let times = 0; times < 3; times += 1) await topology.refresh();
    expect(performance.now() - since).toBeLessThan(3_000); // a second each; to give a node up takes 20
    expect(topology.ownerOf(0)).toBe(nodeKey(master));
    expect(moves.filter(({ slots }) => slots > 0)).toEqual([]);
    await Promise.all(shard.map((node) => cluster.resume(node)));
    await cluster.settled();
  });
});

describe('a cluster that was built anew at the same addresses', () => {
  const cluster = ownCluster({ masters: 3, replicas: 0, nodeTimeout: 60_000 });

  it('is taken for what it is, though its epochs begin at 0 again', async () => {
    const { topology, moves, moved } = await view(cluster);
    const former = topology.ownerOf(0);
    const nodes = cluster.nodes.map(({ port }) => plain(port));
    const [first, second, third] = nodes as [Redis, Redis, Redis];
    let warning: unknown;
    topology.foreign.onReplaced((error) => (warning = error));
    const rebuilt = moved(({ changes }) => changes.some(({ from }) => from === former));

    for (const node of nodes) await node.cluster('RESET', 'HARD');
    // The other way round, so that each slot but some in the middle gets another owner.
    await third.call('CLUSTER', 'ADDSLOTSRANGE', 0, 4_999);
    await second.call('CLUSTER', 'ADDSLOTSRANGE', 5_000, 9_999);
    await first.call('CLUSTER', 'ADDSLOTSRANGE', 10_000, 16_383);
    for (const node of [second, third]) {
      await node.call('CLUSTER', 'MEET', '127.0.0.1', cluster.nodes[0]!.port);
    }
    await rebuilt; // 15 s after the last node of the former cluster has answered: see docs/adr/0020
    expect(warning).toMatchObject({ code: 'CLUSTER_REPLACED' });
    const owners = () => [0, 5_000, 16_383].map((slot) => topology.ownerOf(slot));
    const wanted = [...cluster.nodes].reverse().map(nodeKey);
    await eventually(() => owners().join() === wanted.join(), 'the new owners are known');
    expect(moves.at(-1)!.masters).toHaveLength(3);
  });
});

/** A topology that watches `cluster`, with what it tells from now on. */
async function view(cluster: LocalCluster, clusterOptions: { slotsRefreshInterval?: number } = {}) {
  const seeds = readStartupNodes({ nodes: cluster.nodes, clusterOptions });
  const factory = new ConnectionFactory(clusterOptions, {}, commandTimeout);
  const connections = new CommandConnectionPool(factory, commandTimeout);
  const topology = new Topology(connections, seeds);
  await topology.connect(10_000, new AbortController().signal);
  const moves: Moved[] = [];
  const { signal } = new AbortController();
  topology.onChange((event) => moves.push(event), signal);
  const opening = {
    topology,
    moves,
    /** Resolves with the next change that concerns slots, and `is` what is waited for. */
    moved: (is: (event: Moved) => boolean = ({ slots }) => slots > 0) =>
      new Promise<void>((resolve) => {
        topology.onChange((event) => {
          if (is(event)) resolve();
        }, signal);
      }),
    close: async () => {
      topology.pause();
      factory.close();
      await connections.close();
    },
  };
  opened.push(opening);
  return opening;
}

async function sourceAndTarget(cluster: LocalCluster, slot: number) {
  const owner = await cluster.ownerOf(slot);
  const target = (await cluster.masters()).find(({ port }) => port !== owner.port)!;
  return [nodeKey(owner), nodeKey(target)] as const;
}

async function slotsAsked(redis: Redis): Promise<number> {
  return Number(/cmdstat_cluster\|slots:calls=(\d+)/.exec(await redis.info('commandstats'))?.[1] ?? 0);
}

/** Resolves when all that was sent is on its way. */
function flushed(redis: Redis): Promise<void> {
  return new Promise((resolve) => redis.stream.write('', () => resolve()));
}
