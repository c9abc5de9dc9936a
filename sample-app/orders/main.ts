import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { ClusterPubSubServer } from 'nestjs-cluster-pubsub';
import { announceReady } from '../shared/announce-ready.js';
import { clusterOptions } from '../shared/cluster-options.js';
import { OrdersModule } from './orders.module.js';

const app = await NestFactory.createMicroservice(OrdersModule, {
  strategy: new ClusterPubSubServer(clusterOptions()),
  logger: ['warn', 'error', 'fatal'],
});
app.enableShutdownHooks([], { useProcessExit: true });
await app.listen();
announceReady('orders');
