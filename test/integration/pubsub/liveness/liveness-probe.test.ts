import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { ClusterPubSub, Interruption } from '../../../../src/pubsub/index.js';
import { TcpProxy } from '../../../chaos/tcp-proxy.js';
import { engines } from '../../../support/engines.js';
import { ReceivedMessages } from '../../../support/messages.js';
import { unique } from '../../../support/names.js';
import { ownCluster } from '../../../support/own-cluster.js';
import { plainConnections, portOf } from '../../../support/plain-connections.js';
import { eventually, next } from '../../../support/waiting.js';

/** What a fault may take to be noticed, in ms: a second of silence, a second for the probe, and the beat of the clock. */
const NOTICED_WITHIN = 2_500;

describe('probes', () => {
  const open = engines();
  const plain = plainConnections();
  const proxies = new Map<string, TcpProxy>();
  // No failover hides what a probe finds.
  const cluster = ownCluster({ masters: 3, replicas: 0, nodeTimeout: 60_000 });

  beforeAll(async () => {
    for (const node of cluster.nodes) {
      proxies.set(`${node.host}:${String(node.port)}`, await TcpProxy.to(node));
    }
  });

  afterEach(async () => {
    for (const proxy of proxies.values()) proxy.thaw();
    await Promise.all(cluster.nodes.map((node) => cluster.resume(node)));
  });

  afterAll(async () => {
    await Promise.all([...proxies.values()].map((proxy) => proxy.close()));
  });

  const direct = (options: { probeInterval?: number; probeTimeout?: number } = {}): ClusterPubSub =>
    open({}, { nodes: cluster.nodes, ...options });

  /** One whose network can be frozen. */
  const proxied = (options: { probeInterval?: number } = {}): ClusterPubSub => {
    const natMap = Object.fromEntries(
      [...proxies].map(([node, { port }]) => [node, { host: '127.0.0.1', port }]),
    );
    const nodes = Object.values(natMap);
    return open({}, { nodes, clusterOptions: { natMap }, ...options });
  };

  it('find a frozen connection, which would go unnoticed without them', async () => {
    const channel = unique();
    const [blind, watching, publisher] = [proxied({ probeInterval: 0 }), proxied(), direct()];
    const allReceived = { blind: new ReceivedMessages(), watching: new ReceivedMessages() };
    const told: string[] = [];
    for (const event of ['interrupted', 'gap', 'error'] as const) blind.on(event, () => told.push(event));
    await blind.ssubscribe({ [channel]: allReceived.blind.handler });
    await watching.ssubscribe({ [channel]: allReceived.watching.handler });
    await publisher.spublish(channel, 'before');
    await Promise.all([allReceived.blind.has(1), allReceived.watching.has(1)]);
    const heardAt = Date.now();
    const frozen = proxies.get(publisher.nodeOf(channel)!)!;
    frozen.freeze();
    const startedAt = performance.now();
    const lost = next(watching, 'interrupted');
    const back = next(watching, 'gap');

    // Redis counts both, though neither will hear of it.
    expect(await publisher.spublish(channel, 'missed')).toBe(2);
    const loss = await lost;
    const took = performance.now() - startedAt;

    expect(loss).toMatchObject({ kind: 'shard', names: [channel], reason: 'connection-silent' });
    expect(took).toBeLessThan(NOTICED_WITHIN);
    expect(Math.abs(loss.since.getTime() - heardAt)).toBeLessThan(150);
    expect(watching.metrics().probesLost).toBe(1);
    expect(told).toEqual([]);
    expect(allReceived.blind.data).toEqual(['before']);
    expect(blind.metrics().probes).toBe(0);

    frozen.thaw();
    const gap = await back;
    expect(gap).toMatchObject({ kind: 'shard', names: [channel], reason: 'connection-silent' });
    expect(gap.since).toEqual(loss.since);
    expect(gap.until.getTime() - gap.since.getTime()).toBeGreaterThanOrEqual(Math.floor(took) - 150);
    await publisher.spublish(channel, 'after');
    await allReceived.watching.has(({ data }) => data === 'after');
  });

  it('find a node that is paused', async () => {
    const channel = unique();
    const pubsub = direct();
    await pubsub.subscribe(channel);
    const node = { port: portOf(pubsub.nodeOf(channel)) };
    const lost = next(pubsub, 'interrupted');
    const back = next(pubsub, 'gap');
    const startedAt = performance.now();
    await cluster.pause(node);
    expect(await lost).toMatchObject({ kind: 'channel', names: [channel], reason: 'connection-silent' });
    expect(performance.now() - startedAt).toBeLessThan(NOTICED_WITHIN);
    await cluster.resume(node);
    expect(await back).toMatchObject({ names: [channel], reason: 'connection-silent' });
  });

  it('are not sent where messages come', async () => {
    const channel = unique();
    const [busy, silent, publisher] = [direct(), direct(), direct()];
    await busy.ssubscribe({ [channel]: () => undefined });
    await silent.ssubscribe({ [unique()]: () => undefined });
    const traffic = setInterval(() => void publisher.spublish(channel, '').catch(() => undefined), 20);
    try {
      await eventually(() => silent.metrics().probes >= 2, 'the silent connection is probed twice');
    } finally {
      clearInterval(traffic);
    }
    expect(busy.metrics().probes).toBe(0);
  });

  it('are sent by one engine for all, however many there are', async () => {
    const channel = unique();
    const all = Array.from({ length: 20 }, () => direct({ probeInterval: 500 }));
    await Promise.all(all.map((pubsub) => pubsub.ssubscribe(channel)));
    const sent = () => all.reduce((sum, pubsub) => sum + pubsub.metrics().probes, 0);
    await eventually(() => sent() >= all.length, 'each has sent one, to find out');
    const before = sent();
    await new Promise((resolve) => setTimeout(resolve, 3_000));
    // One in 500 ms, and some that cross on their way; 120 if each sent its own.
    expect(sent() - before).toBeGreaterThanOrEqual(3);
    expect(sent() - before).toBeLessThan(40);
    expect(all.filter((pubsub) => pubsub.metrics().probesLost > 0)).toEqual([]);
  });

  it('are not taken for lost while the application keeps the event loop busy', async () => {
    const channel = unique();
    const pubsub = direct({ probeInterval: 50, probeTimeout: 50 });
    const losses: Interruption[] = [];
    pubsub.on('interrupted', (loss) => losses.push(loss));
    await pubsub.ssubscribe(channel);
    for (let round = 1; round <= 5; round += 1) {
      const before = pubsub.metrics().probes;
      await eventually(() => pubsub.metrics().probes > before, 'a probe is on its way');
      const until = performance.now() + 200;
      while (performance.now() < until);
    }
    expect(losses).toEqual([]);
    expect(pubsub.metrics().probesLost).toBe(0);
  });

  describe('of a user whose ACL forbids their channels', () => {
    const limited = async (): Promise<ClusterPubSub> => {
      const username = unique('user');
      const rules = 'on >secret ~* resetchannels &app:* +@all -@dangerous +cluster +info'.split(' ');
      await Promise.all(
        cluster.nodes.map(({ port }) => plain(port).call('ACL', 'SETUSER', username, ...rules)),
      );
      const redisOptions = { username, password: 'secret' };
      return open({}, { nodes: cluster.nodes, clusterOptions: { redisOptions }, probeInterval: 100 });
    };

    it('are a PING instead: the connection stays up, and no error is reported', async () => {
      const channel = unique('app:channel');
      const pubsub = await limited();
      const told: unknown[] = [];
      pubsub.on('error', (error) => told.push(error));
      pubsub.on('interrupted', (loss) => told.push(loss));
      const received = new ReceivedMessages();
      await pubsub.ssubscribe({ [channel]: received.handler });
      await eventually(() => pubsub.metrics().probes >= 5, 'five probes');
      expect(await pubsub.spublish(channel, 'here')).toBe(1);
      await received.has(1);
      expect(told).toEqual([]);
      expect(pubsub.metrics().probesLost).toBe(0);
    });

    it('ask for the forbidden once a connection', async () => {
      const pubsub = await limited();
      await pubsub.ssubscribe(unique('app:channel'));
      await eventually(() => pubsub.metrics().probes >= 5, 'five probes');
      const denials = await Promise.all(
        cluster.nodes.map(async ({ port }) => {
          const log = (await plain(port).call('ACL', 'LOG')) as unknown[][];
          return log
            .map((entry) => Object.fromEntries(pairs(entry)))
            .filter(({ object }) => String(object).includes('_cps:probe:'))
            .map(({ count }) => Number(count));
        }),
      );
      // Two in all: the one here, and that of the test before.
      expect(denials.flat().reduce((sum, count) => sum + count, 0)).toBeLessThanOrEqual(2);
    });

    it('still find a node that is paused', async () => {
      const channel = unique('app:channel');
      const pubsub = await limited();
      await pubsub.ssubscribe(channel);
      await eventually(() => pubsub.metrics().probes >= 2, 'two probes');
      const lost = next(pubsub, 'interrupted');
      await cluster.pause({ port: portOf(pubsub.nodeOf(channel)) });
      expect(await lost).toMatchObject({ names: [channel], reason: 'connection-silent' });
    });
  });

  it('do not show among the channels that are subscribed', async () => {
    const channel = unique();
    const pubsub = direct({ probeInterval: 50 });
    await pubsub.ssubscribe(channel);
    await pubsub.subscribe(channel);
    const node = plain(pubsub.nodeOf(channel));
    await eventually(async () => {
      const all = (await node.call('PUBSUB', 'SHARDCHANNELS')) as string[];
      return all.some((name) => name.includes('_cps:probe:'));
    }, 'a probe stands');
    expect(await pubsub.pubsubShardChannels()).toEqual([channel]);
    expect(await pubsub.pubsubChannels()).toEqual([channel]);
    expect([...pubsub.shardChannels, ...pubsub.channels]).toEqual([channel, channel]);
  });
});

function pairs(list: readonly unknown[]): [string, unknown][] {
  return list.flatMap((item, index): [string, unknown][] =>
    index % 2 === 0 ? [[String(item), list[index + 1]]] : [],
  );
}
