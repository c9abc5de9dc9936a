// One request, one event, one stream, one keyspace notification, one message of the engine, one health check and one
// scrape, with the protocol that the argument names (2 or 3; ioredis 5 knows 2 alone). Written so that it compiles as
// CommonJS and as an ES module.
import 'reflect-metadata';
import { deepEqual, equal, match } from 'node:assert/strict';
import { Controller, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { EventPattern, MessagePattern, Payload } from '@nestjs/microservices';
import { HealthCheckService, TerminusModule } from '@nestjs/terminus';
import { Cluster, Redis } from 'ioredis';
import {
  ClusterPubSub,
  ClusterPubSubClient,
  ClusterPubSubModule,
  type ClusterPubSubOptions,
  ClusterPubSubServer,
} from 'nestjs-cluster-pubsub';
import { ClusterPubSubMeter } from 'nestjs-cluster-pubsub/opentelemetry';
import { ClusterPubSubPrometheus } from 'nestjs-cluster-pubsub/prometheus';
import { ClusterPubSubHealthIndicator } from 'nestjs-cluster-pubsub/terminus';
import { startLocalCluster } from 'nestjs-cluster-pubsub/testing';
import { Registry } from 'prom-client';
import { firstValueFrom, type Observable, of, ReplaySubject } from 'rxjs';
import { toArray } from 'rxjs/operators'; // where rxjs 7.1 has it

const resp = Number(process.argv[2]);
// The types of ioredis 5 do not know the option, and ioredis 5 takes no notice of it.
const redisOptions: object = { protocol: resp };
const greeted = new ReplaySubject<string>(1);
const expired = new ReplaySubject<string>(1);

@Controller()
class Greeter {
  @MessagePattern('greet')
  greet(@Payload() name: string): string {
    return `Hello, ${name}!`;
  }

  @MessagePattern('spell')
  spell(@Payload() name: string): Observable<string> {
    return of(...name);
  }

  @EventPattern('greeted.*')
  onGreeted(@Payload() name: string): void {
    greeted.next(name);
  }

  @EventPattern('__keyevent@0__:expired', { nodes: 'all-masters' })
  onExpired(@Payload() key: string): void {
    expired.next(key);
  }
}

async function main(): Promise<void> {
  const config = { 'notify-keyspace-events': 'Ex' };
  const local = await startLocalCluster({ masters: 3, replicas: 0, config });
  const cluster = new Cluster(local.nodes, { redisOptions });
  try {
    const options: ClusterPubSubOptions = { nodes: local.nodes, clusterOptions: { redisOptions } };

    @Module({
      imports: [ClusterPubSubModule.forRoot(options), TerminusModule],
      controllers: [Greeter],
      providers: [ClusterPubSubHealthIndicator],
    })
    class AppModule {}

    const server = new ClusterPubSubServer(options);
    const register = new Registry();
    const prometheus = new ClusterPubSubPrometheus({ register }).watch(server, 'server');
    const meter = new ClusterPubSubMeter().watch(server, 'server'); // no SDK is installed: it measures for nobody
    const app = await NestFactory.createMicroservice(AppModule, {
      strategy: server,
      logger: ['error', 'fatal'],
    });
    await app.listen();
    const client = app.get(ClusterPubSubClient);

    equal(await firstValueFrom(client.send<string>('greet', 'Ada')), 'Hello, Ada!');
    deepEqual(await firstValueFrom(client.send<string>('spell', 'Ada').pipe(toArray())), ['A', 'd', 'a']);
    client.emit('greeted.Ada', 'Ada');
    equal(await firstValueFrom(greeted), 'Ada');
    await cluster.set('session:Ada', 'x', 'PX', 1);
    equal(await firstValueFrom(expired), 'session:Ada');

    const indicator = app.get(ClusterPubSubHealthIndicator);
    const health = await app.resolve(HealthCheckService);
    equal((await health.check([() => indicator.isHealthy('redis')])).details['redis']?.status, 'up');

    const page = await register.metrics();
    match(page, /^cluster_pubsub_handled_requests_total\{source="server"\} 2$/m);
    match(page, /^cluster_pubsub_handler_duration_seconds_count\{.*pattern="spell".*\} 1$/m);
    meter.close();
    prometheus.close();

    // With an ioredis Cluster of the caller's, and all three kinds of subscription.
    const pubsub = new ClusterPubSub(cluster, { ignoreSubscribeMessages: true, encoding: 'buffer' });
    await Promise.all([pubsub.subscribe('news'), pubsub.psubscribe('pages.*'), pubsub.ssubscribe('orders')]);
    deepEqual([await pubsub.publish('news', 'a'), await pubsub.spublish('orders', 'b')], [1, 1]);
    await pubsub.publish('pages.1', 'c');
    const next = () => pubsub.getMessage({ timeout: 5_000 });
    const heard = [await next(), await next(), await next()];
    deepEqual(heard.map((message) => String(message?.data)).sort(), ['a', 'b', 'c']);
    console.log(`RESP${resp}: ${await protocolsInUse(local.nodes)} connections`);

    await pubsub.close();
    await app.close();
  } finally {
    cluster.disconnect();
    await local.stop();
  }
}

/** How many connections of ours there are, by the nodes' own account; all of them must speak the protocol asked for. */
async function protocolsInUse(nodes: readonly { host: string; port: number }[]): Promise<number> {
  const lists = await Promise.all(
    nodes.map(async (node) => {
      const redis = new Redis(node);
      const list = await redis.client('LIST');
      redis.disconnect();
      return String(list);
    }),
  );
  const ours = lists
    .flatMap((list) => list.split('\n'))
    .filter((line) => line.includes('name=nestjs-cluster-pubsub'));
  const spoken = ours.map((line) => / resp=(\d)/.exec(line)?.[1]);
  deepEqual([...new Set(spoken)], [String(resp)]);
  return ours.length;
}

main().catch((error: unknown) => {
  console.error(error);
  // An application that has not been closed would keep the process alive.
  process.exit(1);
});
