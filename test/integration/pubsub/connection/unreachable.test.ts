import { afterEach, describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { startLocalRedis } from '../../../../src/testing/index.js';
import { engines } from '../../../support/engines.js';
import { unique } from '../../../support/names.js';
import { ownCluster } from '../../../support/own-cluster.js';
import { sharedCluster } from '../../../support/shared-cluster.js';

const connectTimeout = 600;
/** What a busy machine may take on top. */
const slack = 800;

describe('what cannot be reached', () => {
  const open = engines();
  const servers: { server: Server; sockets: Set<Socket> }[] = [];

  afterEach(() => {
    for (const { server, sockets } of servers.splice(0)) {
      server.close();
      for (const socket of sockets) socket.destroy();
    }
  });

  it('at a port without a server is reported within the connect timeout', async () => {
    await expectWithin(connectTimeout, open({}, { nodes: [{ port: 1 }], connectTimeout }).connect());
  });

  it('at a server that takes connections and says nothing, likewise', async () => {
    const port = await listen(() => undefined);
    await expectWithin(connectTimeout, open({}, { nodes: [{ port }], connectTimeout }).connect());
  });

  it('at several such servers, likewise', async () => {
    const nodes = await Promise.all([1, 2, 3, 4].map(async () => ({ port: await listen(() => undefined) })));
    await expectWithin(connectTimeout, open({}, { nodes, connectTimeout }).connect());
  });

  it('at a server that speaks something else, likewise', async () => {
    const port = await listen((socket) => socket.write('220 mail.example ESMTP\r\n'));
    await expectWithin(connectTimeout, open({}, { nodes: [{ port }], connectTimeout }).connect());
  });

  it('at a server that hangs up, likewise', async () => {
    const port = await listen((socket) => socket.destroy());
    await expectWithin(connectTimeout, open({}, { nodes: [{ port }], connectTimeout }).connect());
  });

  it('for more than one reason is reported with each of them', async () => {
    const noRedis = await listen((socket) => socket.write('220 mail.example ESMTP\r\n'));
    const pubsub = open({}, { nodes: [{ port: 1 }, { port: noRedis }], connectTimeout });
    const error = await pubsub.connect().catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'CLUSTER_UNREACHABLE' });
    // In any order: they are tried in a random one.
    expect(String(error)).toMatch(/None of 2 nodes replied: .+; .+/);
    expect(String(error)).toMatch(/:1: .*ECONNREFUSED/);
    expect(String(error)).toContain('Redis protocol');
  });

  it('behind a name that is never looked up to the end, likewise', async () => {
    const clusterOptions = { dnsLookup: () => undefined };
    await expectWithin(
      connectTimeout,
      open({}, { nodes: [{ host: 'redis' }], connectTimeout, clusterOptions }).connect(),
    );
  });

  it('fails everything that needs it, each with the same error', async () => {
    const pubsub = open({}, { nodes: [{ port: 1 }], connectTimeout });
    const all = await Promise.allSettled([
      pubsub.subscribe('a'),
      pubsub.psubscribe('a'),
      pubsub.ssubscribe('a'),
      pubsub.publish('a', ''),
      pubsub.spublish('a', ''),
      pubsub.pubsubNumpat(),
      pubsub.pubsubNumsub('a'),
    ]);
    for (const result of all) {
      expect(result).toMatchObject({ status: 'rejected', reason: { code: 'CLUSTER_UNREACHABLE' } });
    }
    expect(pubsub.status).toBe('idle');
    expect(pubsub.subscribed).toBe(false);
  });

  it('among startup nodes does not matter as long as one answers', async () => {
    const silent = await listen(() => undefined);
    const nodes = [{ port: 1 }, { port: silent }, ...sharedCluster().slice(0, 1)];
    const channel = unique();
    const pubsub = open({}, { nodes });
    await pubsub.subscribe(channel);
    expect(await pubsub.publish(channel, '')).toBe(1);
  });

  it('does not keep close waiting', async () => {
    const port = await listen(() => undefined);
    const pubsub = open({}, { nodes: [{ port }] });
    const connecting = pubsub.connect();
    const outcome = expect(connecting).rejects.toMatchObject({ code: 'CLOSED' });
    await once(servers.at(-1)!.server, 'connection');
    const started = performance.now();
    await pubsub.close();
    expect(performance.now() - started).toBeLessThan(500);
    await outcome;
  });

  it('does not keep close waiting while a name is looked up either', async () => {
    let onLookup: () => void = () => undefined;
    const lookedUp = new Promise<void>((resolve) => (onLookup = resolve));
    const clusterOptions = { useSRVRecords: true, resolveSrv: () => onLookup() };
    const pubsub = open({}, { nodes: [{ host: 'redis' }], clusterOptions });
    const outcome = expect(pubsub.connect()).rejects.toMatchObject({ code: 'CLOSED' });
    await lookedUp;
    const started = performance.now();
    await pubsub.close();
    expect(performance.now() - started).toBeLessThan(500);
    await outcome;
  });

  it('is a standalone Redis: that is said at once, with what to do', async () => {
    const redis = await startLocalRedis();
    try {
      const started = performance.now();
      await expect(open({}, { nodes: [{ port: redis.port }] }).subscribe('a')).rejects.toMatchObject({
        code: 'NOT_A_CLUSTER',
        message: expect.stringContaining(String(redis.port)),
      });
      expect(performance.now() - started).toBeLessThan(2_000);
    } finally {
      await redis.stop();
    }
  });

  it('can be tried again', async () => {
    let answering = false;
    const nodes = sharedCluster().slice(0, 1);
    const clusterOptions = {
      dnsLookup: (host: string, done: (error: Error | null, address: string) => void) =>
        answering ? done(null, host) : done(new Error('no such host'), ''),
    };
    const pubsub = open({}, { nodes, connectTimeout: 200, clusterOptions });
    await expect(pubsub.connect()).rejects.toMatchObject({ code: 'CLUSTER_UNREACHABLE' });
    answering = true;
    await pubsub.connect();
    expect(pubsub.status).toBe('connected');
  });

  async function listen(onConnection: (socket: Socket) => void): Promise<number> {
    const sockets = new Set<Socket>();
    const server = createServer((socket) => {
      sockets.add(socket);
      socket.on('error', () => undefined);
      onConnection(socket);
    });
    servers.push({ server, sockets });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return (server.address() as AddressInfo).port;
  }

  async function expectWithin(limit: number, promise: Promise<unknown>): Promise<void> {
    const started = performance.now();
    await expect(promise).rejects.toMatchObject({ code: 'CLUSTER_UNREACHABLE' });
    expect(performance.now() - started).toBeLessThan(limit + slack);
  }
});

describe('a master that hangs', () => {
  const open = engines();
  // A long node timeout and no replica: nobody takes over.
  const cluster = ownCluster({ masters: 3, replicas: 0, nodeTimeout: 60_000 });

  it('costs its own channels alone, and no message waits longer than the command timeout', async () => {
    const commandTimeout = 400;
    const pubsub = open({}, { nodes: cluster.nodes, commandTimeout, connectTimeout: 2_000 });
    await pubsub.connect();
    const [hanging] = await cluster.masters();
    const names = Array.from({ length: 30 }, () => unique());
    const ours = names.find((name) => pubsub.nodeOf(name) === `127.0.0.1:${hanging!.port}`)!;
    const other = names.find((name) => pubsub.nodeOf(name) !== `127.0.0.1:${hanging!.port}`)!;
    await pubsub.publish(ours, '');
    await cluster.pause(hanging!);
    try {
      // Written on the open connection: what became of it is not known.
      await expect(pubsub.publish(ours, '')).rejects.toMatchObject({
        code: 'PUBLISH_FAILED',
        outcome: 'unknown',
      });
      // From here on it has no connection: nothing has left us.
      const started = performance.now();
      await expect(pubsub.publish(ours, '')).rejects.toMatchObject({
        code: 'PUBLISH_FAILED',
        outcome: 'not-delivered',
      });
      expect(performance.now() - started).toBeLessThan(commandTimeout + slack);
      expect(await pubsub.publish(other, '')).toBe(0);
      await expect(pubsub.subscribe(ours)).rejects.toMatchObject({ code: 'CLUSTER_UNREACHABLE' });
      await pubsub.subscribe(other);
      expect(await pubsub.publish(other, '')).toBe(1);
    } finally {
      await cluster.resume(hanging!);
    }
    expect(await pubsub.publish(ours, '')).toBe(0);
  });

  it('refuses to pile up more messages than asked for', async () => {
    const pubsub = open({}, { nodes: cluster.nodes, commandTimeout: 500, maxQueuedMessages: 10 });
    await pubsub.connect();
    const [hanging] = await cluster.masters();
    const name = Array.from({ length: 30 }, () => unique()).find(
      (one) => pubsub.nodeOf(one) === `127.0.0.1:${hanging!.port}`,
    )!;
    await pubsub.publish(name, '');
    await cluster.pause(hanging!);
    try {
      const results = await Promise.allSettled(Array.from({ length: 12 }, () => pubsub.publish(name, '')));
      const codes = results.map((result) =>
        result.status === 'rejected' ? (result.reason as { code: string }).code : 'resolved',
      );
      expect(codes.filter((code) => code === 'QUEUE_FULL')).toHaveLength(2);
    } finally {
      await cluster.resume(hanging!);
    }
  });
});
