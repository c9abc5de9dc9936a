import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { ClusterPubSubServer } from 'nestjs-cluster-pubsub';
import { announceReady } from '../shared/announce-ready.js';
import { clusterOptions } from '../shared/cluster-options.js';
import { GatewayModule } from './gateway.module.js';
import { ServiceErrorFilter } from './service-error.filter.js';

const app = await NestFactory.create<NestExpressApplication>(GatewayModule, {
  logger: ['warn', 'error', 'fatal'],
  // The live page keeps a connection open that would otherwise delay the shutdown.
  forceCloseConnections: true,
});
// A hybrid application: it serves HTTP and receives the events that the live page shows.
app.connectMicroservice({ strategy: new ClusterPubSubServer(clusterOptions()) });
app.useGlobalFilters(new ServiceErrorFilter(app.getHttpAdapter()));
// Larger than one packet, so that the transport's limit applies first.
app.useBodyParser('json', { limit: '10mb' });
app.enableShutdownHooks([], { useProcessExit: true });
await app.startAllMicroservices();
await app.listen(Number(process.env.PORT ?? 3000), '127.0.0.1');
announceReady('gateway', await app.getUrl());
