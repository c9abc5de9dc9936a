import { describe, expect, it, jest } from '@jest/globals';
import { Controller, Get, Inject } from '@nestjs/common';
import { ClientsModule, EventPattern, MessagePattern } from '@nestjs/microservices';
import { HealthCheck, HealthCheckService, TerminusModule } from '@nestjs/terminus';
import { Test } from '@nestjs/testing';
import { Redis } from 'ioredis';
import { firstValueFrom } from 'rxjs';
import {
  ClusterPubSub,
  ClusterPubSubClient,
  ClusterPubSubModule,
  ClusterPubSubServer,
} from '../../../src/index.js';
import {
  ClusterPubSubHealthIndicator,
  type ClusterPubSubHealthOptions,
} from '../../../src/terminus/index.js';
import { http, type HybridApp, nestApps } from '../../support/nest-apps.js';
import { ownCluster } from '../../support/own-cluster.js';
import { eventually } from '../../support/waiting.js';

const TIMEOUT = 1_500;
/** Keeps those out who look for another cluster at the same ports: here every subscriber is counted. */
const PASSWORD = 'of-this-suite';
/** For what is not about time, on a machine that is busy with other things, in ms. */
const PATIENT = 10_000;

/** Open until a test lets the handler answer. */
const answers: (() => void)[] = [];

@Controller()
class HealthController {
  constructor(
    @Inject(HealthCheckService) private readonly health: HealthCheckService,
    @Inject(ClusterPubSubHealthIndicator) private readonly pubsub: ClusterPubSubHealthIndicator,
  ) {}

  @Get('health')
  @HealthCheck()
  check() {
    return this.health.check([() => this.pubsub.isHealthy('redis', { timeout: TIMEOUT, cacheTtl: 0 })]);
  }

  @MessagePattern('order.create')
  create(): string {
    return 'created';
  }

  @MessagePattern('order.wait')
  wait(): Promise<string> {
    return new Promise((resolve) => answers.push(() => resolve('at last')));
  }

  @EventPattern<string>('order.placed', { mode: 'sharded' })
  placed(): void {
    // Listening is enough.
  }

  @EventPattern<string>('order.*')
  audit(): void {
    // Listening is enough.
  }
}

const parts = {
  imports: [TerminusModule.forRoot({ logger: false })],
  controllers: [HealthController],
  providers: [ClusterPubSubHealthIndicator],
};

const cluster = ownCluster({ masters: 3, replicas: 1, password: PASSWORD });
const apps = nestApps({
  get nodes() {
    return cluster.nodes.map((node) => ({ ...node, password: PASSWORD }));
  },
});

const check = (hybrid: HybridApp) => http(hybrid).get('/health');
const ask = async ({ app }: HybridApp, options?: ClusterPubSubHealthOptions) => {
  const { redis } = await app
    .get(ClusterPubSubHealthIndicator)
    .isHealthy('redis', { cacheTtl: 0, timeout: PATIENT, ...options });
  return redis;
};

describe('the health of the cluster', () => {
  it('is up, and by default says who listens to what this application handles', async () => {
    const hybrid = await apps.start({ ...parts, servers: 2 });
    const { body } = await check(hybrid).expect(200);
    expect(body).toMatchObject({ status: 'ok', error: {} });
    expect(body.info.redis).toEqual({
      status: 'up',
      reasons: [],
      at: expect.any(String),
      engine: 'connected',
      masters: { known: 3, subscribed: expect.any(Number), reachable: 3, nodes: expect.any(Array) },
      replicas: { known: 3, reachable: 3 },
      // Of each server two classic channels, three shard channels and a pattern.
      subscriptions: { desired: 12, confirmed: 12, unconfirmed: [] },
      lastGap: null,
      queues: { waitingForNodes: 0, waitingForSubscribers: 0, unread: 0 },
      numsub: { 'order.create': 2, 'order.wait': 2, 'order.placed': 0 },
      shardNumsub: { 'order.create': 2, 'order.wait': 2, 'order.placed': 2 },
      activeChannels: {
        count: 2,
        names: [`${apps.prefix}order.create`, `${apps.prefix}order.wait`],
        listed: true,
      },
      shardChannels: { count: 3, names: expect.any(Array), listed: true },
      // Two servers, one pattern: Redis counts patterns, not who subscribed to them.
      patterns: 1,
      complete: true,
      requests: { inFlight: 0, handling: 0 },
    });
  });

  it('counts the subscribers of the given patterns, without the prefix', async () => {
    const hybrid = await apps.start({ ...parts, servers: 2 });
    const channels = ['order.create', 'invoice.get'];
    expect(await ask(hybrid, { channels })).toMatchObject({
      status: 'up',
      numsub: { 'order.create': 2, 'invoice.get': 0 },
      shardNumsub: { 'order.create': 2, 'invoice.get': 0 },
    });
    expect(await ask(hybrid, { channels, minSubscribers: 1 })).toMatchObject({
      status: 'down',
      message: `Channel "invoice.get" has 0 of 1 required subscribers.`,
    });
    expect(await ask(hybrid, { minSubscribers: 2 })).toMatchObject({ status: 'up' });
    expect(await ask(hybrid, { minSubscribers: 3 })).toMatchObject({ status: 'down' });
  });

  it('says how many requests wait for an answer, and how many handlers run', async () => {
    const hybrid = await apps.start(parts);
    const waiting = [1, 2].map(() => firstValueFrom(hybrid.client.send('order.wait', {})));
    await eventually(() => answers.length === 2, 'both are handled');
    expect(await ask(hybrid)).toMatchObject({ requests: { inFlight: 2, handling: 2 } });
    answers.splice(0).forEach((answer) => answer());
    await Promise.all(waiting);
    expect(await ask(hybrid)).toMatchObject({ requests: { inFlight: 0, handling: 0 } });
  });

  it('is down within its timeout while a master does not answer, names it, and is up again after that', async () => {
    const hybrid = await apps.start(parts);
    await check(hybrid).expect(200);
    const [master] = await cluster.masters();
    const named = `Master ${master!.host}:${master!.port} is unreachable: it did not answer within 1350 ms.`;
    await cluster.pause(master!);
    try {
      const began = performance.now();
      const { body } = await check(hybrid).expect(503);
      expect(performance.now() - began).toBeLessThan(TIMEOUT + 500);
      expect(body.error.redis).toMatchObject({
        status: 'down',
        message: expect.stringContaining(named),
        masters: { known: 3, reachable: 2 },
      });
      expect(body.error.redis.reasons).toContain(named);
    } finally {
      await cluster.resume(master!);
    }
    await cluster.settled();
    await eventually(async () => (await check(hybrid)).body.status === 'ok', 'it is up again');
  });

  it('is degraded, and 200, where the ACL refuses PUBSUB', async () => {
    const admins = cluster.nodes.map((node) => new Redis({ ...node, password: PASSWORD, protocol: 2 }));
    await Promise.all(
      admins.map((admin) => admin.call('ACL', 'SETUSER', 'blind', 'on', '>secret', '+@all', '-pubsub', '&*')),
    );
    admins.forEach((admin) => admin.disconnect());
    const redisOptions = { username: 'blind', password: 'secret' };
    const hybrid = await apps.start(parts, { clusterOptions: { redisOptions } });
    const { body } = await check(hybrid).expect(200);
    expect(body).toMatchObject({ status: 'degraded' });
    expect(await ask(hybrid, { minSubscribers: 9 })).toMatchObject({
      status: 'degraded',
      message: expect.stringContaining('refused PUBSUB'),
    });
  });

  it('proves with a probe that messages get through all masters', async () => {
    const hybrid = await apps.start(parts);
    const { status, masters } = await ask(hybrid, { probe: true });
    expect(status).toBe('up');
    expect(masters.nodes.map(({ heartbeat }) => heartbeat)).toEqual([1, 2, 3].map(() => expect.any(Number)));
  });

  it('reports for its servers and its client, each of which has an engine of its own', async () => {
    const hybrid = await apps.start({ ...parts, servers: 1 });
    expect(await ask(hybrid)).toMatchObject({ subscriptions: { desired: 6, confirmed: 6 } });
    await firstValueFrom(hybrid.client.send('order.create', {}));
    expect(await ask(hybrid)).toMatchObject({ subscriptions: { desired: 7, confirmed: 7 } });
    await hybrid.app.get(ClusterPubSub).subscribe('of-the-engine');
    expect(await ask(hybrid)).toMatchObject({ subscriptions: { desired: 8, confirmed: 8 } });
    await hybrid.servers[0]!.close();
    await hybrid.client.close();
    expect(await ask(hybrid)).toMatchObject({
      subscriptions: { desired: 1, confirmed: 1 },
      numsub: { 'of-the-engine': 1 },
    });
  });

  it('does not report the servers of another application in the same process', async () => {
    const hybrid = await apps.start({ ...parts, servers: 0 });
    const stranger = apps.add(new ClusterPubSubServer(apps.options({ prefix: 'stranger:' })));
    stranger.addHandler('order.create', async () => undefined);
    await stranger.listen((error) => expect(error).toBeUndefined());
    expect(await ask(hybrid)).toMatchObject({ status: 'up', subscriptions: { desired: 0 }, numsub: {} });
  });

  it('needs no module where there is a server', async () => {
    const server = apps.add(new ClusterPubSubServer(apps.options()));
    server.addHandler('order.create', async () => undefined);
    await server.listen((error) => expect(error).toBeUndefined());
    const module = apps.add(
      await apps.module({ imports: parts.imports, providers: parts.providers }).compile(),
    );
    expect(
      await module.get(ClusterPubSubHealthIndicator).isHealthy('redis', { timeout: PATIENT }),
    ).toMatchObject({
      redis: { status: 'up', shardNumsub: { 'order.create': 1 } },
    });
  });

  it('is down with the code of our error where nothing can be reached', async () => {
    const hybrid = await apps.create(
      { imports: parts.imports, providers: parts.providers, servers: 0 },
      { nodes: [{ host: '127.0.0.1', port: 1 }], connectTimeout: 200 },
    );
    expect(await ask(hybrid)).toMatchObject({
      status: 'down',
      code: 'CLUSTER_UNREACHABLE',
      message: expect.stringContaining('127.0.0.1:1'),
      masters: { known: 0 },
    });
  });

  it('is down, not an exception, when the engine was closed', async () => {
    const hybrid = await apps.start({ ...parts, servers: 0 });
    await hybrid.app.get(ClusterPubSub).close();
    const { body } = await check(hybrid).expect(503);
    expect(body.error.redis).toMatchObject({ status: 'down', code: 'CLOSED' });
  });

  it('is down, not an exception, for options that cannot work', async () => {
    const hybrid = await apps.start({ ...parts, servers: 0 });
    expect(await ask(hybrid, { timeout: -1 })).toMatchObject({ status: 'down', code: 'INVALID_ARGUMENT' });
    expect(await ask(hybrid, { channels: 5 as unknown as string[] })).toMatchObject({ status: 'down' });
  });

  it('is down, not an exception, where no engine is provided', async () => {
    const module = apps.add(
      await apps.module({ imports: parts.imports, providers: parts.providers }).compile(),
    );
    expect(await module.get(ClusterPubSubHealthIndicator).isHealthy('redis')).toMatchObject({
      redis: {
        status: 'down',
        message: expect.stringContaining('ClusterPubSubModule.forRoot()'),
        masters: { known: 0 },
      },
    });
  });

  it('is down, not an exception, for options that throw', async () => {
    const hybrid = await apps.start({ ...parts, servers: 0 });
    const indicator = hybrid.app.get(ClusterPubSubHealthIndicator);
    const thrower = {
      get pubsub(): never {
        throw Object.create(null);
      },
    };
    for (const options of [null, thrower, { pubsub: {} }, { channels: [Symbol('x')] }]) {
      expect(await indicator.isHealthy('redis', options as never)).toMatchObject({
        redis: { status: 'down', message: expect.stringMatching(/./) },
      });
    }
  });

  it('takes what is null for what was left out', async () => {
    const hybrid = await apps.start(parts);
    const { numsub } = await ask(hybrid, { maxNames: null as unknown as number });
    expect(Object.keys(numsub)).toEqual(['order.create', 'order.wait', 'order.placed']);
  });

  it('keeps channels apart that differ by the prefix alone', async () => {
    const hybrid = await apps.start({ ...parts, servers: 0 });
    const prefixed = `${apps.prefix}orders`;
    await hybrid.app.get(ClusterPubSub).subscribe(prefixed, 'orders', `${apps.prefix}items`);
    await using other = new ClusterPubSub(apps.options());
    await other.subscribe('orders', `${apps.prefix}items`);
    expect(await ask(hybrid, { minSubscribers: 2 })).toMatchObject({
      numsub: { [prefixed]: 1, orders: 2, items: 2 },
      message: `Channel "${prefixed}" has 1 of 2 required subscribers.`,
    });
  });

  it('is down until a server has subscribed its handlers', async () => {
    const hybrid = await apps.start({ ...parts, servers: 0 });
    const server = apps.add(new ClusterPubSubServer(apps.options()));
    server.addHandler('order.create', async () => undefined);
    const listening = server.listen((error) => expect(error).toBeUndefined());
    const early = ask(hybrid, { timeout: 1 });
    expect((await early).reasons).toContain('A server of this process is not subscribed yet.');
    expect((await early).status).toBe('down');
    await listening;
    expect(await ask(hybrid, { minSubscribers: 1 })).toMatchObject({
      status: 'up',
      shardNumsub: { 'order.create': 1 },
    });
  });

  it('is down while there is a server that could not listen, and says why', async () => {
    const admins = cluster.nodes.map((node) => new Redis({ ...node, password: PASSWORD, protocol: 2 }));
    const rules = ['on', '>secret', '+@all', '~*', 'resetchannels', '&nothing'];
    await Promise.all(admins.map((admin) => admin.call('ACL', 'SETUSER', 'deaf', ...rules)));
    admins.forEach((admin) => admin.disconnect());
    const hybrid = await apps.start({ ...parts, servers: 0 });
    const redisOptions = { username: 'deaf', password: 'secret' };
    const server = new ClusterPubSubServer(apps.options({ clusterOptions: { redisOptions } }));
    server.addHandler('order.create', async () => undefined);
    await server.listen((error) => expect(error).toMatchObject({ code: 'SUBSCRIPTION_REFUSED' }));
    expect(await ask(hybrid)).toMatchObject({
      status: 'down',
      reasons: [
        expect.stringMatching(/^A server of this process could not listen \(SUBSCRIPTION_REFUSED\): /),
      ],
      masters: { reachable: 3 },
    });
    await server.close();
    expect(await ask(hybrid)).toMatchObject({ status: 'up' });
  });

  it('forgets a server that could not listen when another one serves in its place', async () => {
    const hybrid = await apps.start({ ...parts, servers: 0 });
    const redisOptions = { password: 'wrong' };
    const wrong = new ClusterPubSubServer(apps.options({ clusterOptions: { redisOptions } })); // closed by nobody
    await wrong.listen((error) => expect(error).toMatchObject({ code: 'AUTHENTICATION_FAILED' }));
    expect(await ask(hybrid)).toMatchObject({ status: 'down' });
    const right = apps.add(new ClusterPubSubServer(apps.options()));
    right.addHandler('order.create', async () => undefined);
    await right.listen((error) => expect(error).toBeUndefined());
    expect(await ask(hybrid)).toMatchObject({ status: 'up' });
  });

  it('knows the servers of another copy of this package in the process', async () => {
    const hybrid = await apps.start({ ...parts, servers: 0 });
    jest.resetModules();
    const copy = await import('../../../src/index.js');
    (await import('@nestjs/common')).Logger.overrideLogger(false);
    expect(copy.ClusterPubSubServer).not.toBe(ClusterPubSubServer);
    const server = apps.add(new copy.ClusterPubSubServer(apps.options()));
    server.addHandler('order.create', async () => undefined);
    await server.listen((error) => expect(error).toBeUndefined());
    await hybrid.app.get(ClusterPubSub).subscribe('of-the-engine');
    expect(await ask(hybrid)).toMatchObject({
      status: 'up',
      subscriptions: { desired: 3 },
      shardNumsub: { 'order.create': 1 },
    });
  });

  it('connects the clients of an application that has asked nothing yet', async () => {
    const register = ClientsModule.register([
      { name: 'SHOP', customClass: ClusterPubSubClient, options: apps.options() },
    ]);
    const module = apps.add(
      await Test.createTestingModule({
        imports: [TerminusModule.forRoot({ logger: false }), register],
        providers: [ClusterPubSubHealthIndicator],
      }).compile(),
    );
    const indicator = module.get(ClusterPubSubHealthIndicator);
    expect((await indicator.isHealthy('redis', { timeout: PATIENT })).redis).toMatchObject({
      status: 'up',
      engine: 'connected',
      masters: { reachable: 3 },
    });
    const client = module.get<ClusterPubSubClient>('SHOP');
    await client.close();
    expect((await indicator.isHealthy('redis', { timeout: PATIENT })).redis).toMatchObject({
      status: 'down',
      code: 'INVALID_ARGUMENT',
    });
  });

  it('can be asked of another engine than the unnamed one', async () => {
    const module = apps.add(
      await apps
        .module({
          imports: [...parts.imports, ClusterPubSubModule.forRoot({ name: 'audit', ...apps.options() })],
          providers: parts.providers,
        })
        .compile(),
    );
    await using pubsub = new ClusterPubSub(apps.options());
    await pubsub.subscribe('plain');
    const indicator = module.get(ClusterPubSubHealthIndicator);
    expect(
      await indicator.isHealthy('audit', { pubsub, channels: ['plain'], timeout: PATIENT }),
    ).toMatchObject({
      audit: { status: 'up', numsub: { plain: 1 } },
    });
  });
});
