import { Logger, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ClientRedis, type MicroserviceOptions, Transport } from '@nestjs/microservices';
import { lastValueFrom } from 'rxjs';
import type { StartService } from '../service.js';
import { startClusterAlone } from './cluster-alone.js';
import { handlersOf, patternsOf, useAll } from './three-and-three.js';

/** Without these Nest gives up at the first lost connection. */
const retries = { retryAttempts: 1_000, retryDelay: 200 };

/** The nearest to our service without this package: Nest's transport on one node, and an ioredis `Cluster`. */
export const startNestRedis: StartService = async (place, name) => {
  const patterns = patternsOf(`${name}.`);
  const options = { ...place.node, ...retries, connectionName: `fleet:${name}` };
  @Module({ controllers: [handlersOf(patterns)] })
  class AppModule {}
  Logger.overrideLogger(false);
  const app = await NestFactory.createMicroservice<MicroserviceOptions>(AppModule, {
    transport: Transport.REDIS,
    options,
    logger: false,
  });
  const client = new ClientRedis(options);
  const [cluster] = await Promise.all([startClusterAlone(place, name), app.listen(), client.connect()]);
  return {
    request: () => lastValueFrom(client.send(patterns.requests[0]!, name)),
    use: async () => {
      await useAll(client, patterns, name);
      await cluster.use();
    },
    close: async () => {
      await Promise.all([app.close(), client.close(), cluster.close()]);
    },
  };
};
