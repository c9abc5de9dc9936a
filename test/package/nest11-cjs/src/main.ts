import 'reflect-metadata';
import { deepEqual, equal } from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { NestFactory } from '@nestjs/core';
import { ClusterPubSubServer } from 'nestjs-cluster-pubsub';
import { startLocalCluster } from 'nestjs-cluster-pubsub/testing';
import { firstValueFrom, lastValueFrom } from 'rxjs';
import { AppModule } from './app.module';
import { GreeterController } from './greeter.controller';

async function main(): Promise<void> {
  equal(typeof require, 'function', 'this must be CommonJS');
  equal(existsSync('node_modules/@nestjs/terminus'), false, 'this must work without Terminus');

  const cluster = await startLocalCluster({ masters: 3, replicas: 0 });
  try {
    const options = { nodes: cluster.nodes, prefix: 'app:' };
    const app = await NestFactory.create(AppModule.on(options), { logger: ['warn', 'error', 'fatal'] });
    app.connectMicroservice({ strategy: new ClusterPubSubServer(options) });
    await app.startAllMicroservices();
    await app.listen(0, '127.0.0.1');

    const response = await fetch(`${await app.getUrl()}/hello/Ada`);
    deepEqual([response.status, await response.text()], [200, 'Hello, Ada!']);
    console.log('a request, over HTTP');

    const greeter = app.get(GreeterController);
    await lastValueFrom(greeter.client.emit('greeted.Ada', 'Ada'), { defaultValue: undefined });
    deepEqual(await firstValueFrom(greeter.greeted), ['Ada', 'app:greeted.Ada']);
    console.log('an event, to a wildcard handler');

    await greeter.pubsub.subscribe('news');
    equal(await greeter.pubsub.publish('news', 'of the engine'), 1);
    const message = await greeter.pubsub.getMessage({ timeout: 5_000, ignoreSubscribeMessages: true });
    equal(message?.data, 'of the engine');
    console.log('the engine that forRoot provides');

    await app.close();
  } finally {
    await cluster.stop();
  }
}

main().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
