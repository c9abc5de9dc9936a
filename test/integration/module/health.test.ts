import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Controller, Get, Inject } from '@nestjs/common';
import { EventPattern, MessagePattern } from '@nestjs/microservices';
import { HealthCheck, HealthCheckService, TerminusModule } from '@nestjs/terminus';
import { ClusterPubSub, ClusterPubSubModule } from '../../../src/index.js';
import { ClusterPubSubHealthIndicator } from '../../../src/terminus/index.js';
import { type LocalCluster, startLocalCluster } from '../../../src/testing/index.js';
import { eventually } from '../../support/eventually.js';
import { http, type HybridApp, NestApps } from '../../support/nest-apps.js';

const TIMEOUT = 400;

@Controller()
class HealthController {
  constructor(
    @Inject(HealthCheckService) private readonly health: HealthCheckService,
    @Inject(ClusterPubSubHealthIndicator) private readonly pubsub: ClusterPubSubHealthIndicator,
  ) {}

  @Get('health')
  @HealthCheck()
  check() {
    return this.health.check([
      () => this.pubsub.isHealthy('redis', { channels: ['order.create', 'order.placed'], timeout: TIMEOUT }),
    ]);
  }

  @MessagePattern('order.create')
  create(): string {
    return 'created';
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

let cluster: LocalCluster;
let apps: NestApps;

beforeAll(async () => {
  cluster = await startLocalCluster({ masters: 3, replicas: 1 });
  apps = new NestApps(cluster.nodes);
});

afterEach(() => apps.close());

afterAll(() => cluster.stop());

const check = (hybrid: HybridApp) => http(hybrid).get('/health');

describe('the health of the cluster', () => {
  it('is up, and says who listens', async () => {
    const hybrid = await apps.start({ ...parts, servers: 2 });
    const { body } = await check(hybrid).expect(200);
    expect(body).toMatchObject({ status: 'ok', error: {} });
    expect(body.info).toEqual({
      redis: {
        status: 'up',
        numsub: { 'order.create': 2, 'order.placed': 0 },
        shardNumsub: { 'order.create': 2, 'order.placed': 0 },
        activeChannels: expect.any(Number),
        activeShardChannels: expect.any(Number),
        // Two servers, one pattern: Redis counts patterns, not who subscribed to them.
        patterns: 1,
      },
    });
  });

  it('is down within its timeout while a master does not answer, with the reason, and up again after that', async () => {
    const hybrid = await apps.start(parts);
    await check(hybrid).expect(200);
    const [master] = await cluster.masters();
    await cluster.pause(master!);
    try {
      const began = performance.now();
      const { body } = await check(hybrid).expect(503);
      expect(performance.now() - began).toBeLessThan(TIMEOUT + 1_000);
      expect(body.error).toEqual({
        redis: {
          status: 'down',
          code: 'CLUSTER_UNREACHABLE',
          message: `The cluster did not answer within ${TIMEOUT} ms.`,
        },
      });
    } finally {
      await cluster.resume(master!);
    }
    await cluster.settled();
    await eventually(async () => (await check(hybrid)).status === 200, 'it is up again');
  });

  it('is down with the code of our error where nothing can be reached', async () => {
    const hybrid = await apps.create(
      { imports: parts.imports, providers: parts.providers, servers: 0 },
      { nodes: [{ host: '127.0.0.1', port: 1 }], connectTimeout: 200 },
    );
    const indicator = hybrid.app.get(ClusterPubSubHealthIndicator);
    expect(await indicator.isHealthy('redis')).toEqual({
      redis: {
        status: 'down',
        code: 'CLUSTER_UNREACHABLE',
        message: expect.stringContaining('127.0.0.1:1'),
      },
    });
  });

  it('is down, not an exception, when the engine was closed', async () => {
    const hybrid = await apps.start({ ...parts, servers: 0 });
    await hybrid.app.get(ClusterPubSub).close();
    const { body } = await check(hybrid).expect(503);
    expect(body.error.redis).toMatchObject({ status: 'down', code: 'CLOSED' });
  });

  it('is down, not an exception, where no engine is provided', async () => {
    const module = apps.closing(
      await apps.module({ imports: parts.imports, providers: parts.providers }).compile(),
    );
    expect(await module.get(ClusterPubSubHealthIndicator).isHealthy('redis')).toEqual({
      redis: { status: 'down', message: expect.stringContaining('ClusterPubSubModule.forRoot()') },
    });
  });

  it('can be asked of another engine than the unnamed one', async () => {
    const module = apps.closing(
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
    expect(await indicator.isHealthy('audit', { pubsub, channels: ['plain'] })).toMatchObject({
      audit: { status: 'up', numsub: { plain: 1 } },
    });
  });
});
