import 'reflect-metadata';
import { equal } from 'node:assert/strict';
import { type DynamicModule, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { HealthCheckService, TerminusModule } from '@nestjs/terminus';
import { ClusterPubSubModule, type ClusterPubSubOptions } from 'nestjs-cluster-pubsub';
import { ClusterPubSubHealthIndicator } from 'nestjs-cluster-pubsub/terminus';
import { startLocalCluster } from 'nestjs-cluster-pubsub/testing';

@Module({})
class HealthModule {
  static on(options: ClusterPubSubOptions): DynamicModule {
    return {
      module: HealthModule,
      imports: [ClusterPubSubModule.forRoot(options), TerminusModule],
      providers: [ClusterPubSubHealthIndicator],
    };
  }
}

async function main(): Promise<void> {
  const cluster = await startLocalCluster({ masters: 3, replicas: 0 });
  try {
    const module = HealthModule.on({ nodes: cluster.nodes });
    const app = await NestFactory.createApplicationContext(module, { logger: ['error', 'fatal'] });
    const indicator = app.get(ClusterPubSubHealthIndicator);
    const health = await app.resolve(HealthCheckService);
    const result = await health.check([() => indicator.isHealthy('cluster')]);
    equal(result.details['cluster']?.status, 'up');
    console.log('the health indicator, with Terminus');
    await app.close();
  } finally {
    await cluster.stop();
  }
}

main().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
