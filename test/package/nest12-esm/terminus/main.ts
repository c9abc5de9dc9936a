import 'reflect-metadata';
import { equal } from 'node:assert/strict';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { HealthCheckService, TerminusModule } from '@nestjs/terminus';
import { ClusterPubSubModule } from 'nestjs-cluster-pubsub';
import { ClusterPubSubHealthIndicator } from 'nestjs-cluster-pubsub/terminus';
import { startLocalCluster } from 'nestjs-cluster-pubsub/testing';

const cluster = await startLocalCluster({ masters: 3, replicas: 0 });

@Module({
  imports: [ClusterPubSubModule.forRoot({ nodes: cluster.nodes }), TerminusModule],
  providers: [ClusterPubSubHealthIndicator],
})
class HealthModule {}

try {
  const app = await NestFactory.createApplicationContext(HealthModule, { logger: ['error', 'fatal'] });
  const indicator = app.get(ClusterPubSubHealthIndicator);
  const result = await (await app.resolve(HealthCheckService)).check([() => indicator.isHealthy('cluster')]);
  equal(result.details['cluster']?.status, 'up');
  console.log('the health indicator, with Terminus');
  await app.close();
} finally {
  await cluster.stop();
}
