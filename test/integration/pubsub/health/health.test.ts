import { beforeAll, describe, expect, it, jest } from '@jest/globals';
import type { ClusterNode } from 'ioredis';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  type ClusterConnectionOptions,
  ClusterPubSub,
  type PubSubHealth,
  type PubSubHealthOptions,
} from '../../../../src/pubsub/index.js';
import { engines } from '../../../support/engines.js';
import { unique, uniques } from '../../../support/names.js';
import { ownCluster } from '../../../support/own-cluster.js';
import { plainConnections } from '../../../support/plain-connections.js';
import { eventually, next } from '../../../support/waiting.js';

const addressOf = ({ host, port }: { host: string; port: number }): string => `${host}:${port}`;

/** Keeps those out who look for another cluster at the same ports: here every subscriber is counted. */
const PASSWORD = 'of-this-suite';
const isAt = (node: ClusterNode, { port }: { port: number }): boolean =>
  typeof node === 'object' && node.port === port;

/** For what is not about time, on a machine that is busy with other things, in ms. */
const PATIENT = 10_000;
/** How long such a machine may take to call a timer that is due, in ms. */
const LATE = 300;

describe('health()', () => {
  const open = engines();
  const connect = plainConnections();
  const plain = (node: string | number | undefined) => connect(node, { password: PASSWORD });
  // With a node timeout this long, no failover changes the subject.
  const cluster = ownCluster({ masters: 3, replicas: 1, nodeTimeout: 60_000, password: PASSWORD });
  let nodes: ClusterNode[];

  beforeAll(() => {
    const password = PASSWORD;
    nodes = cluster.nodes.map((node) => ({ ...node, password }));
  });

  const engine = (source: ClusterConnectionOptions = {}): ClusterPubSub => open({}, { nodes, ...source });
  const uncached = (pubsub: ClusterPubSub, options: PubSubHealthOptions = {}): Promise<PubSubHealth> =>
    pubsub.health({ cacheTtl: 0, timeout: PATIENT, ...options });
  /** Runs a command on every node. */
  const everywhere = (...args: [string, ...string[]]) =>
    Promise.all(cluster.nodes.map(({ port }) => plain(port).call(...args)));

  it('reports every field of a healthy cluster', async () => {
    const pubsub = engine();
    const [channel, shard, pattern] = [unique(), unique('shard'), unique('pattern')];
    await Promise.all([
      pubsub.subscribe(channel),
      pubsub.ssubscribe(shard),
      pubsub.psubscribe(`${pattern}*`),
    ]);
    const health = await uncached(pubsub, { channels: [channel, shard] });
    expect(health).toEqual({
      status: 'up',
      reasons: [],
      at: expect.any(Date),
      engine: 'connected',
      masters: { known: 3, subscribed: expect.any(Number), reachable: 3, nodes: expect.any(Array) },
      replicas: { known: 3, reachable: 3 },
      subscriptions: { desired: 3, confirmed: 3, unconfirmed: [] },
      lastGap: null,
      queues: { waitingForNodes: 0, waitingForSubscribers: 0, unread: 3 },
      numsub: { [channel]: 1, [shard]: 0 },
      shardNumsub: { [channel]: 0, [shard]: 1 },
      activeChannels: { count: 1, names: [channel], listed: true },
      shardChannels: { count: 1, names: [shard], listed: true },
      patterns: 1,
      complete: true,
    });
    const { nodes: told, subscribed } = health.masters;
    const masters = (await cluster.masters()).map(addressOf);
    expect(told.map(({ node }) => node)).toEqual(masters.sort());
    expect(told.map(({ subscriptions }) => subscriptions).reduce((a, b) => a + b)).toBe(3);
    expect(told.filter((node) => node.subscribed)).toHaveLength(subscribed);
    for (const node of told) {
      expect(node).toMatchObject({ reachable: true, queued: 0 });
      expect(node.roundTrip).toBeGreaterThan(0);
      expect(node.subscribed).toBe(node.subscriptions > 0);
    }
    expect(JSON.parse(JSON.stringify(health))).toEqual({ ...health, at: health.at.toISOString() });
  });

  it('counts subscribers exactly, though they sit on six different nodes', async () => {
    const channel = unique();
    await Promise.all(cluster.nodes.map(({ port }) => plain(port).subscribe(channel)));
    const pubsub = engine();
    expect((await uncached(pubsub, { channels: [channel] })).numsub).toEqual({ [channel]: 6 });
    await pubsub.subscribe(channel);
    expect((await uncached(pubsub, { channels: [channel] })).numsub).toEqual({ [channel]: 7 });
  });

  it('counts classic and sharded subscribers apart, and those by pattern not at all', async () => {
    const channel = unique();
    const [pubsub, other] = [engine(), engine()];
    await Promise.all([pubsub, other].map((one) => one.ssubscribe(channel)));
    await pubsub.subscribe(channel);
    await other.psubscribe(`${channel}*`);
    expect(await uncached(pubsub, { channels: [channel] })).toMatchObject({
      numsub: { [channel]: 1 },
      shardNumsub: { [channel]: 2 },
      patterns: 1,
    });
  });

  it('watches the subscriptions of the engine by default', async () => {
    const pubsub = engine();
    const [channel, shard] = [unique(), unique('shard')];
    await Promise.all([pubsub.subscribe(channel), pubsub.ssubscribe(shard), pubsub.psubscribe('*')]);
    const { numsub } = await uncached(pubsub);
    expect(numsub).toEqual({ [channel]: 1, [shard]: 0 });
  });

  it('lists as many names as it may, and counts the rest', async () => {
    const pubsub = engine();
    const channels = uniques(30);
    await pubsub.subscribe(channels);
    const { activeChannels, numsub } = await uncached(pubsub, { maxNames: 10 });
    expect(activeChannels.count).toBe(30);
    expect(activeChannels.names).toHaveLength(10);
    expect(channels).toEqual(expect.arrayContaining([...activeChannels.names]));
    expect(Object.keys(numsub)).toHaveLength(10);
  });

  it('names the master that hangs, in time, and reports the answers of the others', async () => {
    const pubsub = engine();
    const channels = uniques(30);
    await pubsub.subscribe(channels);
    await uncached(pubsub);
    const [master] = await cluster.masters();
    const hanging = addressOf(master!);
    await cluster.pause(master!);
    const began = performance.now();
    const health = await uncached(pubsub, { timeout: 1_000 });
    expect(performance.now() - began).toBeLessThan(1_000 + LATE);
    expect(health).toMatchObject({
      status: 'down',
      reasons: [`Master ${hanging} is unreachable: it did not answer within 900 ms.`],
      masters: { known: 3, reachable: 2 },
      replicas: { known: 3, reachable: 3 },
      complete: false,
    });
    const there = channels.filter((channel) => pubsub.nodeOf(channel) === hanging);
    const elsewhere = channels.filter((channel) => !there.includes(channel));
    expect(there.length).toBeGreaterThan(0);
    expect(health.activeChannels.count).toBe(elsewhere.length);
    expect(elsewhere.map((channel) => health.numsub[channel])).toEqual(elsewhere.map(() => 1));
    for (const { node, reachable, roundTrip } of health.masters.nodes) {
      expect([node, reachable, roundTrip === null]).toEqual([node, node !== hanging, node === hanging]);
    }
    await cluster.resume(master!);
    await eventually(async () => (await uncached(pubsub)).status === 'up', 'it is up again');
  });

  it('answers in time in any case: connecting anew while a master hangs', async () => {
    const [master] = await cluster.masters();
    await cluster.pause(master!);
    const began = performance.now();
    const health = await engine().health({ timeout: 1_000 });
    expect(performance.now() - began).toBeLessThan(1_000 + LATE);
    expect(health.status).toBe('down');
    expect(health.reasons.join()).toContain(addressOf(master!));
  });

  it('is degraded while a replica does not answer, and says whose subscribers are not counted', async () => {
    const pubsub = engine();
    await uncached(pubsub);
    const [replica] = await cluster.replicas();
    await cluster.pause(replica!);
    expect(await uncached(pubsub, { timeout: 500 })).toMatchObject({
      status: 'degraded',
      reasons: [expect.stringMatching(`^Replica ${addressOf(replica!)} .* not counted\\.$`)],
      masters: { reachable: 3 },
      replicas: { known: 3, reachable: 2 },
      complete: false,
    });
  });

  it('is degraded, not down, where the ACL refuses PUBSUB, and judges no counts then', async () => {
    await everywhere('ACL', 'SETUSER', 'blind', 'on', '>secret', '+@all', '-pubsub', '~*', '&*');
    const redisOptions = { username: 'blind', password: 'secret' };
    const pubsub = engine({ clusterOptions: { redisOptions } });
    const health = await uncached(pubsub, { channels: [unique()], minSubscribers: 1 });
    expect(health).toMatchObject({
      status: 'degraded',
      masters: { reachable: 3 },
      numsub: {},
      complete: false,
    });
    expect(health.reasons).toHaveLength(6);
    for (const [index, { node }] of health.masters.nodes.entries()) {
      expect(health.reasons[index]).toMatch(new RegExp(`^${node} refused PUBSUB NUMPAT: NOPERM .*\\+pubsub`));
    }
  });

  it('judges counts where the ACL allows to count, though it refuses other questions, and says what it needs', async () => {
    const counts = ['+pubsub|numsub', '+pubsub|shardnumsub'];
    await everywhere('ACL', 'SETUSER', 'least', 'on', '>secret', '+@all', '-pubsub', ...counts, '~*', '&*');
    const redisOptions = { username: 'least', password: 'secret' };
    const pubsub = engine({ clusterOptions: { redisOptions } });
    const [channel] = uniques(1);
    const { status, reasons } = await uncached(pubsub, { channels: [channel!], minSubscribers: 1 });
    expect([status, reasons[0]]).toEqual(['down', `Channel "${channel}" has 0 of 1 required subscribers.`]);
    expect(reasons.slice(1)).toHaveLength(6);
    expect(reasons[1]).toMatch(
      /Add to its ACL: \+pubsub\|numpat \+pubsub\|channels \+pubsub\|shardchannels\.$/,
    );
  });

  it('is degraded where the ACL refuses CLUSTER INFO: the state of the cluster is unknown', async () => {
    await everywhere('ACL', 'SETUSER', 'no-info', 'on', '>secret', '+@all', '-cluster|info', '~*', '&*');
    const pubsub = engine({ clusterOptions: { redisOptions: { username: 'no-info', password: 'secret' } } });
    const { status, complete, reasons } = await uncached(pubsub);
    expect([status, complete, reasons.length]).toEqual(['degraded', false, 6]);
    for (const reason of reasons) expect(reason).toMatch(/refused CLUSTER INFO: .*\+cluster\|info\.$/);
  });

  it('does not call down what it cannot count while a replica is silent', async () => {
    const pubsub = engine();
    const [channel, missing] = uniques(2);
    const [replica] = await cluster.replicas();
    await plain(replica!.port).subscribe(channel!);
    const options = { channels: [channel!], minSubscribers: 1, timeout: 500 };
    expect(await uncached(pubsub, { ...options, timeout: PATIENT })).toMatchObject({ status: 'up' });
    await cluster.pause(replica!);
    const health = await uncached(pubsub, options);
    expect(health).toMatchObject({ status: 'degraded', numsub: { [channel!]: 0 }, complete: false });
    expect(health.reasons[1]).toContain(`"${channel}" has 0 of 1 required subscribers`);
    expect(health.reasons[1]).toContain('(incomplete: not every node was counted)');
    await cluster.resume(replica!);
    expect(await uncached(pubsub, { ...options, channels: [missing!], timeout: PATIENT })).toMatchObject({
      status: 'down',
    });
  });

  it.each(['constructor', '__proto__', 'toString'])('counts on a channel called "%s"', async (channel) => {
    await using pubsub = engine();
    const options = { channels: [channel], minSubscribers: 1 };
    const before = await uncached(pubsub, options);
    expect([before.status, Object.entries(before.numsub)]).toEqual(['down', [[channel, 0]]]);
    await pubsub.subscribe(channel);
    const { status, numsub } = await uncached(pubsub, options);
    expect([status, Object.entries(numsub)]).toEqual(['up', [[channel, 1]]]);
  });

  it('counts exactly on more channels than one command carries', async () => {
    const [pubsub, other] = [engine(), engine()];
    const channels = uniques(2_500);
    await pubsub.subscribe(channels);
    await other.ssubscribe(channels.slice(-10));
    const { numsub, shardNumsub } = await uncached(pubsub, { channels });
    expect(Object.keys(numsub)).toEqual(channels);
    expect(new Set(Object.values(numsub))).toEqual(new Set([1]));
    expect(Object.values(shardNumsub).reduce((sum, count) => sum + count)).toBe(10);
    expect(channels.slice(-10).map((channel) => shardNumsub[channel])).toEqual(Array(10).fill(1));
  });

  it('is down while a watched channel has fewer subscribers than asked, classic or sharded', async () => {
    const [pubsub, other] = [engine(), engine()];
    const [channel, lonely] = [unique(), unique('lonely')];
    await pubsub.ssubscribe(channel);
    await other.ssubscribe(channel);
    await other.subscribe(lonely);
    const options = { channels: [channel, lonely], minSubscribers: 2 };
    expect(await uncached(pubsub, options)).toMatchObject({
      status: 'down',
      reasons: [`Channel "${lonely}" has 1 of 2 required subscribers.`],
    });
    await pubsub.subscribe(lonely);
    expect(await uncached(pubsub, options)).toMatchObject({ status: 'up', reasons: [] });
  });

  it('remembers the last gap, and is down while it is younger than maxGapAge', async () => {
    const pubsub = engine();
    const channel = unique();
    await pubsub.subscribe(channel);
    const node = pubsub.nodeOf(channel);
    const gap = next(pubsub, 'gap');
    await plain(node).call('CLIENT', 'KILL', 'TYPE', 'pubsub');
    const { since, until } = await gap;
    const health = await uncached(pubsub, { maxGapAge: 60_000 });
    expect(health.lastGap).toEqual({
      kind: 'channel',
      names: [channel],
      reason: 'connection-lost',
      node,
      since,
      until,
      age: expect.any(Number),
    });
    expect(health.status).toBe('down');
    expect(health.reasons).toEqual([
      expect.stringContaining(`(connection-lost on ${node!}): messages on "${channel}"`),
    ]);

    await sleep(5);
    expect(await uncached(pubsub, { maxGapAge: 1 })).toMatchObject({
      status: 'up',
      lastGap: { names: [channel] },
    });
    expect(await uncached(pubsub)).toMatchObject({ status: 'up', lastGap: { names: [channel] } });
  });

  it('goes by no clock that somebody sets back', async () => {
    const pubsub = engine();
    const channel = unique();
    await pubsub.subscribe(channel);
    const gap = next(pubsub, 'gap');
    await plain(pubsub.nodeOf(channel)).call('CLIENT', 'KILL', 'TYPE', 'pubsub');
    await gap;
    const hour = 3_600_000;
    const { now } = Date;
    for (const step of [-hour, hour]) {
      const clock = jest.spyOn(Date, 'now').mockImplementation(() => now() + step);
      try {
        const { status, lastGap } = await uncached(pubsub);
        expect(status).toBe('up');
        expect(lastGap!.age).toBeGreaterThanOrEqual(0);
        expect(lastGap!.age).toBeLessThan(hour);
        expect(await uncached(pubsub, { maxGapAge: 60_000 })).toMatchObject({ status: 'down' });
      } finally {
        clock.mockRestore();
      }
    }
  });

  it('is down when Redis does not confirm a subscription for too long, and names it', async () => {
    await everywhere('ACL', 'SETUSER', 'banned', 'on', '>secret', '+@all', '~*', '&*');
    const redisOptions = { username: 'banned', password: 'secret' };
    const pubsub = engine({ clusterOptions: { redisOptions } });
    pubsub.on('error', () => undefined);
    const [banned, allowed] = [unique('banned'), unique('allowed')];
    await pubsub.subscribe(banned, allowed);
    // Redis cuts the connections of those who may not hear what they hear; what is left is confirmed again.
    await everywhere('ACL', 'SETUSER', 'banned', 'resetchannels', '&allowed*', '&_cps:*');
    await eventually(async () => {
      const { status } = await uncached(pubsub, { confirmationTimeout: 200 });
      return status === 'down';
    }, 'it is down');
    const health = await uncached(pubsub, { confirmationTimeout: 200 });
    expect(health).toMatchObject({
      status: 'down',
      reasons: [
        `Not confirmed by Redis for more than 200 ms: channel "${banned}" on ${pubsub.nodeOf(banned)!}.`,
      ],
      subscriptions: {
        desired: 2,
        confirmed: 1,
        unconfirmed: [
          { kind: 'channel', name: banned, node: pubsub.nodeOf(banned), for: expect.any(Number) },
        ],
      },
      masters: { reachable: 3 },
    });
    expect(await uncached(pubsub, { confirmationTimeout: 60_000 })).toMatchObject({
      status: 'up',
      subscriptions: { desired: 2, confirmed: 1, unconfirmed: [] },
    });
  });

  it('reports how many messages wait for a node that is down', async () => {
    const pubsub = engine({ commandTimeout: 60_000, connectTimeout: 60_000 });
    pubsub.on('error', () => undefined);
    const channel = unique();
    await pubsub.subscribe(channel);
    const node = pubsub.nodeOf(channel)!;
    const master = (await cluster.masters()).find((one) => addressOf(one) === node)!;
    await cluster.kill(master);
    let publishes: Promise<unknown> | undefined;
    try {
      await eventually(
        async () => (await uncached(pubsub, { timeout: 500 })).masters.reachable === 2,
        'it is known to be away',
      );
      publishes = Promise.all([1, 2, 3].map((data) => pubsub.publish(channel, String(data))));
      await eventually(() => pubsub.metrics().waiting === 3, 'they wait');
      const health = await uncached(pubsub, { timeout: 500 });
      expect(health.queues.waitingForNodes).toBe(3);
      expect(health.masters.nodes.map(({ queued }) => queued).sort()).toEqual([0, 0, 3]);
      expect(health.reasons[0]).toMatch(new RegExp(`^Master ${node} is unreachable: .*ECONNREFUSED`));
    } finally {
      await cluster.restart(master);
    }
    await publishes;
    expect(await uncached(pubsub)).toMatchObject({ status: 'up', queues: { waitingForNodes: 0 } });
  });

  describe('with a probe', () => {
    it('has a message brought back by every master, whether or not anything is subscribed there', async () => {
      const [idle, busy] = [engine(), engine()];
      await busy.subscribe(uniques(30));
      for (const pubsub of [idle, busy, idle]) {
        const health = await uncached(pubsub, { probe: true });
        expect(health).toMatchObject({ status: 'up', reasons: [] });
        expect(health.masters.nodes).toHaveLength(3);
        for (const { heartbeat } of health.masters.nodes) expect(heartbeat).toBeGreaterThan(0);
      }
      // The channels of the probes are nobody else's business.
      expect((await uncached(idle)).shardChannels).toEqual({ count: 0, names: [], listed: true });
    });

    it('works with a prefix that is not ASCII', async () => {
      await using pubsub = new ClusterPubSub({ nodes }, {}, { prefix: 'žluť:' });
      expect(await pubsub.health({ probe: true, timeout: PATIENT })).toMatchObject({ status: 'up' });
    });

    it('is down where a master answers and messages do not get through, and names it', async () => {
      const pubsub = engine();
      await pubsub.subscribe(uniques(30));
      await uncached(pubsub, { probe: true });
      const [master] = await cluster.masters();
      const admin = plain(master!.port);
      // PING and PUBSUB are answered; what publishes waits.
      await admin.call('CLIENT', 'PAUSE', '60000', 'WRITE');
      try {
        const began = performance.now();
        const health = await uncached(pubsub, { probe: true, timeout: 1_000 });
        expect(performance.now() - began).toBeLessThan(1_000 + LATE);
        expect(health).toMatchObject({
          status: 'down',
          reasons: [`Probe of master ${addressOf(master!)} failed: it did not come back within 900 ms.`],
          masters: { reachable: 3 },
        });
        const { heartbeat } = health.masters.nodes.find(({ node }) => node === addressOf(master!))!;
        expect(heartbeat).toBeNull();
      } finally {
        await admin.call('CLIENT', 'UNPAUSE');
      }
      await eventually(
        async () => (await uncached(pubsub, { probe: true })).status === 'up',
        'it is up again',
      );
    });

    it('is degraded where the ACL forbids the channel of the probe', async () => {
      await everywhere('ACL', 'SETUSER', 'quiet', 'on', '>secret', '+@all', '~*', 'resetchannels', '&news*');
      const pubsub = engine({ clusterOptions: { redisOptions: { username: 'quiet', password: 'secret' } } });
      const { status, reasons } = await uncached(pubsub, { probe: true });
      expect([status, reasons.length]).toEqual(['degraded', 3]);
      for (const reason of reasons) expect(reason).toMatch(/^127\.0\.0\.1:\d+ refused the probe: .*NOPERM/);
    });

    it('reports the last heartbeat where none is requested', async () => {
      const pubsub = engine({ probeInterval: 50 });
      const channel = unique();
      await pubsub.subscribe(channel);
      const heartbeat = async (): Promise<number | null | undefined> => {
        const { masters } = await uncached(pubsub);
        return masters.nodes.find(({ node }) => node === pubsub.nodeOf(channel))?.heartbeat;
      };
      await eventually(async () => (await heartbeat()) !== null, 'a heartbeat');
      expect(await heartbeat()).toBeGreaterThan(0);
    });
  });

  describe('asked 200 times a second', () => {
    it('asks the cluster twice', async () => {
      const pubsub = engine();
      await pubsub.health();
      await everywhere('CONFIG', 'RESETSTAT');
      const began = performance.now();
      const answers = new Set<PubSubHealth>();
      let calls = 0;
      while (performance.now() - began < 1_000) {
        const meeting = await Promise.all([pubsub.health(), pubsub.health()]);
        meeting.forEach((health) => answers.add(health));
        calls += 2;
        await sleep(8);
      }
      expect(calls).toBeGreaterThan(50);
      expect(answers.size).toBeLessThanOrEqual(4);
      for (const { port } of cluster.nodes) {
        const stats = await plain(port).info('commandstats');
        const [, numpats = '0'] = /cmdstat_pubsub\|numpat:calls=(\d+)/.exec(stats) ?? [];
        expect(Number(numpats)).toBeLessThanOrEqual(4);
      }
    });

    it('knows the same question by what it says, and each engine by itself', async () => {
      const [pubsub, one, other] = [engine(), engine(), engine()];
      const channels = ['a', Buffer.from('b'), 'c'];
      const ask = (names: (string | Buffer)[]) => pubsub.health({ channels: names, cacheTtl: 60_000 });
      const first = await ask(channels);
      expect(await ask(['a', Buffer.from('b'), 'c'])).toBe(first);
      channels.push('d');
      const second = await ask(channels);
      expect(Object.keys(second.numsub)).toEqual(['a', 'b', 'c', 'd']);
      (channels[1] as Buffer).write('x');
      expect(Object.keys((await ask(channels)).numsub)).toEqual(['a', 'x', 'c', 'd']);
      await one.subscribe(unique());
      const withOthers = async (...others: ClusterPubSub[]): Promise<number> =>
        (await pubsub.healthWith(others, { cacheTtl: 60_000 })).subscriptions.desired;
      expect([await withOthers(one), await withOthers(other)]).toEqual([1, 0]);
    });

    it('keeps the answers to as many different questions as a service asks', async () => {
      const pubsub = engine();
      const ask = (index: number) => pubsub.health({ channels: [`q${index}`], cacheTtl: 60_000 });
      const answers = [];
      for (let index = 0; index < 40; index += 1) answers.push(await ask(index));
      for (let index = 0; index < 40; index += 1) expect(await ask(index)).toBe(answers[index]);
    });

    it('gives each question its own answer, and asks anew after cacheTtl', async () => {
      const pubsub = engine();
      const [channel, other] = uniques(2);
      const ask = (name: string, cacheTtl: number) => pubsub.health({ channels: [name], cacheTtl: cacheTtl });
      expect(await ask(channel!, 60_000)).toBe(await ask(channel!, 60_000));
      expect(Object.keys((await ask(other!, 60_000)).numsub)).toEqual([other]);
      expect(await ask(channel!, 0)).not.toBe(await ask(channel!, 0));
    });
  });

  describe('never rejects', () => {
    it('on a closed engine', async () => {
      const pubsub = engine();
      expect((await pubsub.health({ timeout: PATIENT })).status).toBe('up');
      await pubsub.close();
      expect(await pubsub.health()).toMatchObject({
        status: 'down',
        code: 'CLOSED',
        engine: 'closed',
        reasons: [expect.stringContaining('closed')],
        masters: { known: 0, nodes: [] },
      });
    });

    it('when it is closed while it looks', async () => {
      const pubsub = engine();
      await pubsub.connect();
      const [master] = await cluster.masters();
      await cluster.pause(master!);
      const looking = uncached(pubsub, { timeout: 1_000, probe: true });
      await pubsub.close();
      expect((await looking).status).toBe('down');
    });

    it('where nothing can be reached, quickly or slowly', async () => {
      const nowhere = { nodes: [{ host: '127.0.0.1', port: 1 }] };
      expect(await engine({ ...nowhere, connectTimeout: 100 }).health()).toMatchObject({
        status: 'down',
        code: 'CLUSTER_UNREACHABLE',
        reasons: [expect.stringContaining('127.0.0.1:1')],
      });
      const began = performance.now();
      expect(await engine(nowhere).health({ timeout: 200 })).toMatchObject({
        status: 'down',
        code: 'CLUSTER_UNREACHABLE',
      });
      expect(performance.now() - began).toBeLessThan(200 + LATE);
    });

    it('and says whom it has asked, and what came of it, where the first answer does not come', async () => {
      const [master] = await cluster.masters();
      await cluster.pause(master!);
      const health = await engine({ nodes: nodes.filter((node) => isAt(node, master!)) }).health({
        timeout: 500,
      });
      expect(health).toMatchObject({ status: 'down', code: 'CLUSTER_UNREACHABLE' });
      expect(health.reasons).toEqual([
        `The cluster did not answer within 450 ms. Asked: ${addressOf(master!)}.`,
      ]);
      await cluster.resume(master!);
      const refusing = await engine({ nodes: [{ host: '127.0.0.1', port: 1 }] }).health({ timeout: 500 });
      expect(refusing.reasons[0]).toMatch(
        /^The cluster did not answer .* Asked: 127\.0\.0\.1:1\. .*ECONNREFUSED/,
      );
      const unknown = await engine({ nodes: [{ host: 'nowhere.invalid', port: 7000 }] }).health();
      expect(unknown.reasons.join()).toContain('nowhere.invalid');
      for (const { reasons } of [health, refusing, unknown]) expect(reasons.join()).not.toContain(PASSWORD);
    });

    it('of what cannot even be shown', async () => {
      const thrower = {
        get timeout(): number {
          throw Object.create(null);
        },
      };
      for (const options of [thrower, { timeout: Object.create(null) }, { maxNames: Symbol('x') }]) {
        expect((await engine().health(options as unknown as PubSubHealthOptions)).status).toBe('down');
      }
    });

    it.each<[PubSubHealthOptions, string]>([
      [{ timeout: 0 }, 'timeout'],
      [{ timeout: NaN }, 'timeout'],
      [{ cacheTtl: -1 }, 'cacheTtl'],
      [{ minSubscribers: 'two' as unknown as number }, 'minSubscribers'],
      [{ channels: 'news' as unknown as string[] }, 'channels'],
      [{ channels: [5] as unknown as string[] }, 'channel name'],
      [null as unknown as PubSubHealthOptions, 'null'],
    ])('of options that cannot work: %j', async (options, named) => {
      expect(await engine().health(options)).toMatchObject({
        status: 'down',
        reasons: [expect.stringContaining(named)],
      });
    });
  });

  it('leaves nothing behind that would keep a process up', async () => {
    const pubsub = engine();
    await uncached(pubsub, { probe: true });
    const clients = async (): Promise<string> => {
      const lists = await everywhere('CLIENT', 'LIST');
      return lists.join('\n');
    };
    expect(await clients()).toContain('name=nestjs-cluster-pubsub');
    await pubsub.close();
    await eventually(async () => !(await clients()).includes('name=nestjs-cluster-pubsub'), 'all are gone');
  });
});

describe('health() of a cluster that has lost its majority', () => {
  const open = engines();
  const cluster = ownCluster({ masters: 3, replicas: 0, nodeTimeout: 500 });

  it('is down by the word of the master that is left, which answers all the same', async () => {
    const pubsub = open({}, { nodes: cluster.nodes });
    await pubsub.health();
    const [left, ...others] = await cluster.masters();
    await Promise.all(others.map((node) => cluster.kill(node)));
    const word = `Cluster state is "fail" according to ${addressOf(left!)}.`;
    await eventually(async () => (await pubsub.health({ cacheTtl: 0 })).reasons.includes(word), word);
    const { status, reasons, masters } = await pubsub.health({ cacheTtl: 0 });
    expect({ status, reachable: masters.reachable, reasons: reasons.length }).toEqual({
      status: 'down',
      reachable: 1,
      reasons: 3,
    });
  });
});
