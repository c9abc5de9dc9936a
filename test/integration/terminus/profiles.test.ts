import { afterEach, describe, expect, it } from '@jest/globals';
import { Controller, Get, Inject } from '@nestjs/common';
import { HealthCheck, HealthCheckService, TerminusModule } from '@nestjs/terminus';
import { setTimeout as sleep } from 'node:timers/promises';
import { lastValueFrom } from 'rxjs';
import { ClusterPubSub, type ClusterPubSubClient, ClusterPubSubServer } from '../../../src/index.js';
import { ClusterPubSubHealthIndicator } from '../../../src/terminus/index.js';
import type { LocalCluster } from '../../../src/testing/index.js';
import { http, type HybridApp, nestApps, type NestApps } from '../../support/nest-apps.js';
import { ownCluster } from '../../support/own-cluster.js';
import { eventually } from '../../support/waiting.js';

@Controller('health')
class HealthController {
  constructor(
    @Inject(HealthCheckService) private readonly health: HealthCheckService,
    @Inject(ClusterPubSubHealthIndicator) private readonly pubsub: ClusterPubSubHealthIndicator,
  ) {}

  @Get('ready')
  @HealthCheck()
  ready() {
    return this.health.check([() => this.pubsub.isHealthy('redis', { for: 'readiness' })]);
  }

  @Get('live')
  @HealthCheck()
  live() {
    return this.health.check([() => this.pubsub.isHealthy('redis', { for: 'liveness' })]);
  }

  @Get()
  @HealthCheck()
  everything() {
    return this.health.check([() => this.pubsub.isHealthy('redis', { for: 'people' })]);
  }
}

const parts = {
  imports: [TerminusModule.forRoot({ logger: false })],
  controllers: [HealthController],
  providers: [ClusterPubSubHealthIndicator],
  servers: 0,
};

/** The HTTP status of a check over some time. */
class Watch {
  readonly seen: { readonly status: number; readonly at: number }[] = [];
  #stopped = false;
  readonly #done: Promise<void>;

  constructor(hybrid: HybridApp, path: string) {
    this.#done = this.#run(hybrid, path);
  }

  get statuses(): number[] {
    return [...new Set(this.seen.map(({ status }) => status))];
  }

  /** Resolves to when the status was first seen after that time. */
  async first(status: number, after: number): Promise<number> {
    const matching = () => this.seen.find((one) => one.status === status && one.at >= after);
    await eventually(() => matching() !== undefined, `there is a ${status}`, 20_000);
    return matching()!.at;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#done;
  }

  async #run(hybrid: HybridApp, path: string): Promise<void> {
    while (!this.#stopped) {
      const { status } = await http(hybrid).get(path);
      this.seen.push({ status, at: performance.now() });
      await sleep(20);
    }
  }
}

/** An application whose one handler, and whose client's requests, are on one master. */
async function startOn(apps: NestApps, cluster: LocalCluster) {
  const hybrid = await apps.start(parts);
  const { client } = hybrid;
  await client.connect();
  const pubsub = client.unwrap<ClusterPubSub<'buffer'>>();
  const [needed, unneeded] = await cluster.masters();
  const owner = `${needed!.host}:${needed!.port}`;
  const pattern = Array.from({ length: 1_000 }, (_, index) => `ask-${index}`).find(
    (name) => pubsub.nodeOf(apps.prefix + name) === owner,
  )!;
  const server = apps.add(new ClusterPubSubServer(apps.options()));
  server.addHandler(pattern, async (data: unknown) => data);
  await server.listen((error) => expect(error).toBeUndefined());
  await lastValueFrom(client.send(pattern, 1));
  return { hybrid, client, pattern, needed: needed!, unneeded: unneeded! };
}

/** Asks without a break; tells how many requests failed, and when one was last answered. */
function keepAsking(client: ClusterPubSubClient, pattern: string) {
  const tally = { answered: 0, failed: 0 };
  let stopped = false;
  const done = (async () => {
    while (!stopped) {
      await lastValueFrom(client.send(pattern, 1)).then(
        () => (tally.answered += 1),
        () => (tally.failed += 1),
      );
      await sleep(5);
    }
  })();
  return {
    tally,
    stop: async () => {
      stopped = true;
      await done;
    },
  };
}

describe('readiness, while a master without a replica is dead', () => {
  const cluster = ownCluster({ masters: 3, replicas: 0 });
  const apps = nestApps(cluster);
  let dead: { host: string; port: number } | undefined;

  afterEach(async () => {
    if (dead !== undefined) {
      await cluster.restart(dead);
      await cluster.settled();
    }
    dead = undefined;
  });

  it('stays 200 where the process does not need it, and every request is answered', async () => {
    const { hybrid, client, pattern, unneeded } = await startOn(apps, cluster);
    const [watch, asking] = [new Watch(hybrid, '/health/ready'), keepAsking(client, pattern)];
    await watch.first(200, 0);
    dead = unneeded;
    await cluster.kill(unneeded);
    // By then the cluster as a whole has failed: cluster-require-full-coverage is on.
    await eventually(async () => {
      const { body } = await http(hybrid).get('/health/ready');
      return JSON.stringify(body).includes('Cluster state is \\"fail\\"');
    }, 'the cluster has failed');
    await sleep(500);
    const { body } = await http(hybrid).get('/health/ready');
    expect(body).toMatchObject({ status: 'degraded' });
    expect(body.details.redis.reasons[0]).toMatch(
      new RegExp(
        `^Master ${unneeded.host}:${unneeded.port} is unreachable: .* This process has no subscription`,
      ),
    );
    await http(hybrid).get('/health').expect(503);
    await cluster.restart(unneeded);
    dead = undefined;
    await cluster.settled();
    await Promise.all([watch.stop(), asking.stop()]);
    expect(watch.statuses).toEqual([200]);
    expect(asking.tally).toEqual({ answered: expect.any(Number), failed: 0 });
    expect(asking.tally.answered).toBeGreaterThan(100);
  });

  it('is 503 within 2 s where the process needs it, and 200 within 1 s of its return', async () => {
    const { hybrid, client, pattern, needed } = await startOn(apps, cluster);
    const [watch, liveness] = [new Watch(hybrid, '/health/ready'), new Watch(hybrid, '/health/live')];
    await watch.first(200, 0);
    const killedAt = performance.now();
    dead = needed;
    await cluster.kill(needed);
    expect((await watch.first(503, killedAt)) - killedAt).toBeLessThan(2_000);
    await cluster.restart(needed);
    dead = undefined;
    await eventually(
      () =>
        lastValueFrom(client.send(pattern, 1)).then(
          () => true,
          () => false,
        ),
      'requests are answered again',
    );
    const backAt = performance.now();
    expect((await watch.first(200, killedAt + 1)) - backAt).toBeLessThan(1_000);
    await Promise.all([watch.stop(), liveness.stop()]);
    expect(liveness.statuses).toEqual([200]);
    const lines = apps.logged.filter((line) => line.startsWith('Health check "redis" (readiness)'));
    expect(lines).toEqual([expect.stringMatching(/ is down: Master .* is unreachable/)]);
  });

  it('is 503 where the process has only published there', async () => {
    const { hybrid, needed } = await startOn(apps, cluster);
    const pubsub = hybrid.app.get<ClusterPubSub>(ClusterPubSub);
    const indicator = hybrid.app.get(ClusterPubSubHealthIndicator);
    const ready = async () => (await indicator.isHealthy('redis', { for: 'readiness', cacheTtl: 0 })).redis;
    await pubsub.connect();
    const channel = ['a', 'b', 'c', 'd'].find(
      (name) => pubsub.nodeOf(name) !== `${needed.host}:${needed.port}`,
    )!;
    const owner = pubsub.nodeOf(channel)!;
    const node = cluster.nodes.find(({ host, port }) => owner === `${host}:${port}`)!;
    dead = node;
    await cluster.kill(node);
    expect((await ready()).status).toBe('degraded');
    await pubsub.publish(channel, '').catch(() => undefined);
    expect(await ready()).toMatchObject({
      status: 'down',
      message: expect.stringContaining(`Master ${owner} is unreachable`),
    });
  });
});

describe('readiness, in a cluster that refuses messages while a shard has no master', () => {
  const cluster = ownCluster({
    masters: 3,
    replicas: 0,
    config: { 'cluster-allow-pubsubshard-when-down': 'no' },
  });
  const apps = nestApps(cluster);

  it('is 503 though the process does not need the dead one', async () => {
    const { hybrid, client, pattern, unneeded } = await startOn(apps, cluster);
    const [watch, asking] = [new Watch(hybrid, '/health/ready'), keepAsking(client, pattern)];
    await watch.first(200, 0);
    await cluster.kill(unneeded);
    await watch.first(503, 0);
    await cluster.restart(unneeded);
    await watch.first(200, performance.now());
    await Promise.all([watch.stop(), asking.stop()]);
  });
});

describe('readiness, while a master with a replica is dead', () => {
  const cluster = ownCluster({ masters: 3, replicas: 1 });
  const apps = nestApps(cluster);

  it('is 200 again within 1 s of the failover, with the dead node still there', async () => {
    const { hybrid, client, pattern, needed } = await startOn(apps, cluster);
    const [watch, asking] = [new Watch(hybrid, '/health/ready'), keepAsking(client, pattern)];
    await watch.first(200, 0);
    const killedAt = performance.now();
    await cluster.kill(needed);
    expect((await watch.first(503, killedAt)) - killedAt).toBeLessThan(2_000);
    const { answered } = asking.tally;
    await eventually(() => asking.tally.answered > answered, 'requests are answered again', 20_000);
    const backAt = performance.now();
    const readyAt = await watch.first(200, await watch.first(503, killedAt));
    expect(readyAt - backAt).toBeLessThan(1_000);
    await Promise.all([watch.stop(), asking.stop()]);
  });
});

describe('liveness', () => {
  const apps = nestApps({ nodes: [{ host: '127.0.0.1', port: 1 }] });

  it('does not ask the cluster, nor connect to it', async () => {
    const hybrid = await apps.create(parts, { connectTimeout: 100 });
    await hybrid.app.listen(0, '127.0.0.1');
    const { body } = await http(hybrid).get('/health/live').expect(200);
    expect(body.info.redis).toMatchObject({ status: 'up', engine: 'idle', masters: { known: 0 } });
    await http(hybrid).get('/health/ready').expect(503);
    await http(hybrid).get('/health/live').expect(200);
  });

  it('is down when a server could not listen, which only a restart repairs', async () => {
    const hybrid = await apps.create(parts, { connectTimeout: 100 });
    await hybrid.app.listen(0, '127.0.0.1');
    const server = new ClusterPubSubServer(apps.options({ connectTimeout: 100 }));
    const listening = server.listen(() => undefined);
    await http(hybrid).get('/health/live').expect(200);
    await listening;
    const { body } = await http(hybrid).get('/health/live').expect(503);
    expect(body.error.redis.reasons).toEqual([
      expect.stringMatching(/^A server of this process could not listen \(CLUSTER_UNREACHABLE\)/),
    ]);
    await server.close();
    await http(hybrid).get('/health/live').expect(200);
  });
});
