import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Cluster } from 'ioredis';
import { setTimeout as sleep } from 'node:timers/promises';
import { slotOf } from '../../../src/pubsub/common/channel-name.js';
import type { ClusterPubSub, DataMessage } from '../../../src/pubsub/index.js';
import { engines } from '../../support/engines.js';
import { unique } from '../../support/names.js';
import { ownCluster } from '../../support/own-cluster.js';
import { plainConnections, portOf } from '../../support/plain-connections.js';
import { eventually, next } from '../../support/waiting.js';

describe('keyspace notifications', () => {
  const open = engines();
  const plain = plainConnections();
  const cluster = ownCluster({
    masters: 3,
    replicas: 1,
    nodeTimeout: 1_000,
    // A master that has lost its last slot remains one, instead of becoming a replica while the slot is being moved.
    config: { 'cluster-allow-replica-migration': 'no' },
  });
  let keys: Cluster;

  beforeAll(() => {
    keys = new Cluster(cluster.nodes, { slotsRefreshInterval: 200 });
    keys.on('error', () => undefined);
  });
  afterAll(() => keys.disconnect());
  afterEach(() => cluster.settled());

  /** Each key that was told of, with the nodes that told it. */
  class Heard {
    readonly nodes = new Map<string, string[]>();
    readonly handler = ({ channel, data }: DataMessage, node: string): void => {
      const key = channel.startsWith('__keyspace') ? channel.slice(channel.indexOf(':') + 1) : data;
      this.nodes.set(key, [...(this.nodes.get(key) ?? []), node]);
    };

    has(wanted: readonly string[]): Promise<void> {
      return eventually(() => wanted.every((key) => this.nodes.has(key)), 'all keys were told of');
    }

    get copies(): string[] {
      return [...this.nodes].filter(([, nodes]) => nodes.length > 1).map(([key]) => key);
    }
  }

  async function subscriber(
    prefix: string,
    connectTimeout?: number,
  ): Promise<{ pubsub: ClusterPubSub; heard: Heard }> {
    for (const { port } of cluster.nodes) {
      if (cluster.pidOf({ port }) !== undefined)
        await plain(port).config('SET', 'notify-keyspace-events', 'KEA');
    }
    const clusterOptions = { slotsRefreshInterval: 200 };
    const pubsub = open({}, { nodes: cluster.nodes, clusterOptions, connectTimeout });
    const heard = new Heard();
    await pubsub.psubscribe({ [`__keyspace@0__:${prefix}:*`]: heard.handler }, { nodes: 'all-masters' });
    return { pubsub, heard };
  }

  const write = (names: readonly string[]) =>
    Promise.all(names.map((name) => keys.set(name, 'x'))).then(() => undefined);
  const some = (prefix: string, count = 60) =>
    Array.from({ length: count }, (_, index) => `${prefix}:${unique('key')}:${index}`);
  const masters = async () => (await cluster.masters()).map(({ port }) => `127.0.0.1:${port}`).sort();

  it('of every master are received, each once', async () => {
    const prefix = unique();
    const { pubsub, heard } = await subscriber(prefix);
    const names = some(prefix);
    await write(names);
    await heard.has(names);
    await sleep(100); // for copies, which nothing announces
    expect(heard.copies).toEqual([]);
    expect([...new Set([...heard.nodes.values()].flat())].sort()).toEqual(await masters());
    for (const [key, [node]] of heard.nodes) expect(node).toBe(pubsub.nodeOf(key));
  });

  it('without nodes are those of one master only', async () => {
    const prefix = unique();
    const { heard: all } = await subscriber(prefix);
    const pubsub = open({}, { nodes: cluster.nodes });
    const heard = new Heard();
    await pubsub.psubscribe({ [`__keyspace@0__:${prefix}:*`]: heard.handler });
    const names = some(prefix);
    await write(names);
    await all.has(names);
    expect(new Set([...heard.nodes.values()].flat()).size).toBe(1);
  });

  it('come by channels too: a key that expires, on whatever master', async () => {
    await subscriber(unique());
    const pubsub = open({ ignoreSubscribeMessages: true }, { nodes: cluster.nodes });
    const heard = new Heard();
    await pubsub.subscribe({ '__keyevent@0__:expired': heard.handler }, { nodes: 'all-masters' });
    const names = some(unique(), 12);
    await Promise.all(names.map((name) => keys.set(name, 'x', 'PX', 20)));
    await heard.has(names);
    expect(heard.copies).toEqual([]);
  });

  it('are read by getMessage and listen as well, from whatever master, until they are ended', async () => {
    await subscriber(unique());
    const prefix = unique();
    const pubsub = open({ ignoreSubscribeMessages: true }, { nodes: cluster.nodes });
    await pubsub.psubscribe(`__keyspace@0__:${prefix}:*`, { nodes: 'all-masters' });
    expect(pubsub.subscribed).toBe(true);
    const names = some(prefix, 24);
    await write(names);
    const read: string[] = [];
    const key = (channel: string): string => channel.slice('__keyspace@0__:'.length);
    while (read.length < 12) read.push(key((await pubsub.getMessage({ timeout: 5_000 }))!.channel));
    for await (const { channel, data } of pubsub.listen()) {
      expect(data).toBe('set');
      if (read.push(key(channel)) === names.length) await pubsub.punsubscribe();
    }
    expect(read.sort()).toEqual([...names].sort());
    expect(new Set(names.map((name) => pubsub.nodeOf(name))).size).toBe(3);
    expect(pubsub.subscribed).toBe(false);
  });

  it('are one subscription to the user: one name, one confirmation, one handler at a time', async () => {
    const prefix = unique();
    const pattern = `__keyspace@0__:${prefix}:*`;
    const pubsub = open({}, { nodes: cluster.nodes });
    await pubsub.psubscribe(pattern, { nodes: 'all-masters' });
    expect(pubsub.patterns).toEqual(new Set([pattern]));
    expect(await pubsub.getMessage()).toEqual({
      type: 'psubscribe',
      pattern: null,
      channel: pattern,
      data: 1,
    });
    expect(await pubsub.getMessage()).toBeNull();
    expect(await pubsub.pubsubNumpat({ nodes: 'all-masters' })).toBe(3);
    expect(pubsub.metrics()).toMatchObject({ desired: 3, confirmed: 3 });

    const heard = new Heard();
    await pubsub.psubscribe({ [pattern]: heard.handler }, { nodes: 'all-masters' });
    const names = some(prefix, 12);
    await subscriber(prefix);
    await write(names);
    await heard.has(names);
    await expect(pubsub.psubscribe(pattern)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });

    await pubsub.punsubscribe(pattern);
    expect(pubsub.subscribed).toBe(false);
    const perNode = await pubsub.pubsubNumpat({ aggregate: false });
    const patterns = [...perNode.values()].reduce((sum, count) => sum + count, 0);
    expect(patterns).toBe(3); // those of the other subscriber
  });

  it('follow a planned failover: the new master delivers, the time between is a gap, and afterwards nothing arrives twice', async () => {
    const prefix = unique();
    const { pubsub, heard } = await subscriber(prefix);
    const [replica] = await cluster.replicas();
    const former = `127.0.0.1:${replica!.masterPort!}`;
    const gap = next(pubsub, 'gap');
    const running = stream(prefix);
    await cluster.failover(replica!);
    expect(await gap).toMatchObject({ kind: 'pattern', node: former, reason: 'slot-moved' });
    await running.stop();

    const names = some(prefix);
    await write(names);
    await heard.has(names);
    await sleep(100);
    for (const name of names) expect(heard.nodes.get(name)).toHaveLength(1);
    const tellers = new Set(names.flatMap((name) => heard.nodes.get(name)!));
    expect([...tellers].sort()).toEqual(await masters());
    expect(tellers).toContain(`127.0.0.1:${replica!.port}`);
  });

  it('come back after a master was killed, from the replica that took its place', async () => {
    const prefix = unique();
    const { pubsub, heard } = await subscriber(prefix);
    const [victim] = await cluster.masters();
    const told = [next(pubsub, 'interrupted'), next(pubsub, 'gap')] as const;
    await cluster.kill(victim!);
    const [lost, gap] = await Promise.all(told);
    expect(lost).toMatchObject({ node: `127.0.0.1:${victim!.port}`, reason: 'connection-lost' });
    expect(gap).toMatchObject({ node: `127.0.0.1:${victim!.port}`, reason: 'connection-lost' });
    await cluster.settled();
    expect(pubsub.status).toBe('connected');
    const names = some(prefix);
    await eventually(
      () =>
        write(names).then(
          () => true,
          () => false,
        ),
      'all masters take writes',
    );
    await heard.has(names);
    expect([...new Set(names.flatMap((name) => heard.nodes.get(name)!))].sort()).toEqual(await masters());
    await cluster.restart(victim!);
    await sleep(300); // it is a replica now, and tells what it replicates
    const more = some(prefix);
    await write(more);
    await heard.has(more);
    for (const name of more) expect(heard.nodes.get(name)).toHaveLength(1);
  });

  it('stay active when they are subscribed again in an outage, which fails', async () => {
    const prefix = unique();
    const { pubsub, heard } = await subscriber(prefix, 300);
    const pattern = `__keyspace@0__:${prefix}:*`;
    const [victim] = await cluster.masters();
    const lost = next(pubsub, 'interrupted');
    const gap = next(pubsub, 'gap');
    await cluster.kill(victim!);
    await lost;
    await expect(
      pubsub.psubscribe({ [pattern]: heard.handler }, { nodes: 'all-masters' }),
    ).rejects.toMatchObject({ code: 'CLUSTER_UNREACHABLE' });
    expect(pubsub.patterns).toEqual(new Set([pattern]));
    expect(pubsub.metrics()).toMatchObject({ confirmed: 2 });
    await gap; // its replica has taken over
    await cluster.restart(victim!);
    await cluster.settled();
    expect(pubsub.metrics()).toMatchObject({ desired: 3, confirmed: 3 });
    const names = some(prefix);
    await write(names);
    await heard.has(names);
  });

  it('of a master that was added are received as soon as it owns a slot', async () => {
    const prefix = unique();
    const { pubsub, heard } = await subscriber(prefix);
    const added = await cluster.addMaster();
    await plain(added.port).config('SET', 'notify-keyspace-events', 'KEA');
    const key = `${prefix}:${unique()}`;
    const slot = slotOf(key);
    const owner = await cluster.ownerOf(slot);
    const gap = next(pubsub, 'gap');
    await cluster.moveSlot(slot, added);
    expect(await gap).toMatchObject({ reason: 'slot-moved' });
    await keys.set(key, 'x');
    await heard.has([key]);
    expect(heard.nodes.get(key)).toEqual([`127.0.0.1:${added.port}`]);
    expect(pubsub.metrics()).toMatchObject({ desired: 4, confirmed: 4 });

    // And it is left again when it owns none.
    await keys.del(key);
    await cluster.moveSlot(slot, owner);
    await eventually(() => pubsub.metrics().desired === 3, 'three masters are heard');
    await eventually(
      async () => Number(await plain(added.port).pubsub('NUMPAT')) === 0,
      'the subscription at the fourth is gone',
    );
    expect(portOf(pubsub.nodeOf(key))).toBe(owner.port);
  });

  it('are refused as a whole where one master refuses: then none is active', async () => {
    const pattern = `__keyspace@0__:${unique()}:*`;
    const [first, ...others] = (await cluster.masters()).filter(({ slots }) => slots.length > 0);
    const acl = (port: number, ...rules: string[]) =>
      plain(port).call('ACL', 'SETUSER', 'listener', 'reset', 'on', '>secret', '+@all', ...rules);
    for (const { port } of [...others, ...(await cluster.replicas())]) await acl(port, 'allchannels');
    await acl(first!.port);
    const pubsub = open(
      {},
      {
        nodes: cluster.nodes,
        clusterOptions: { redisOptions: { username: 'listener', password: 'secret' } },
        probeInterval: 0,
      },
    );
    await expect(pubsub.psubscribe(pattern, { nodes: 'all-masters' })).rejects.toMatchObject({
      code: 'SUBSCRIPTION_REFUSED',
      node: `127.0.0.1:${first!.port}`,
    });
    expect(pubsub.subscribed).toBe(false);
    for (const { port } of others) expect(await plain(port).pubsub('NUMPAT')).toBe(0);
  });

  /** Writes keys of its own until it is stopped, whatever becomes of some of them. */
  function stream(prefix: string): { stop(): Promise<void> } {
    let writing = true;
    const done = (async () => {
      for (let index = 0; writing; index += 1) {
        await Promise.race([keys.set(`${prefix}:stream:${index}`, 'x').catch(() => undefined), sleep(500)]);
      }
    })();
    return {
      stop: () => {
        writing = false;
        return done;
      },
    };
  }
});
