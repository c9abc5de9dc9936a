import { Logger, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { MicroserviceOptions } from '@nestjs/microservices';
import { lastValueFrom } from 'rxjs';
import type { StartService } from '../service.js';
import { optionsOf, ours } from './package.js';
import { handlersOf, patternsOf, useAll } from './three-and-three.js';

const patterns = patternsOf();

/** A Nest application with the server, and with the client and the engine of the module. */
export const startOurs: StartService = async (place, name) => {
  const { ClusterPubSub, ClusterPubSubClient, ClusterPubSubModule, ClusterPubSubServer } = await ours();
  const options = optionsOf(place, name);
  @Module({
    imports: [ClusterPubSubModule.forRoot(options)],
    controllers: [handlersOf(patterns)],
  })
  class AppModule {}
  Logger.overrideLogger(false);
  const app = await NestFactory.createMicroservice<MicroserviceOptions>(AppModule, {
    strategy: new ClusterPubSubServer(options),
    logger: false,
  });
  const client = app.get(ClusterPubSubClient);
  const engine = app.get(ClusterPubSub).on('error', () => undefined);
  await app.listen();
  return {
    request: () => lastValueFrom(client.send(patterns.requests[0]!, name)),
    use: async () => {
      await useAll(client, patterns, name);
      await engine.subscribe({ [`${name}:engine`]: () => undefined });
      await engine.publish(`${name}:engine`, name);
    },
    close: () => app.close(),
  };
};
