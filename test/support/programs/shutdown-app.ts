// An application with one slow handler. `hooks`: shuts down by enableShutdownHooks(); `close`: by app.close() alone.
import 'reflect-metadata';
import { Controller, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { MessagePattern } from '@nestjs/microservices';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { lastValueFrom } from 'rxjs';
import {
  ClusterPubSub,
  ClusterPubSubClient,
  ClusterPubSubModule,
  type ClusterPubSubOptions,
  ClusterPubSubServer,
} from '../../../src/index.js';

const options = JSON.parse(process.argv[2] ?? '') as ClusterPubSubOptions;

@Controller()
class SlowController {
  @MessagePattern('ping')
  ping(): string {
    return 'pong';
  }

  @MessagePattern('slow')
  async slow(): Promise<string> {
    console.log('handling');
    // Still running when the signal arrives, and for a while after it.
    await once(process, 'SIGTERM');
    await sleep(200);
    return 'finished';
  }
}

@Module({ imports: [ClusterPubSubModule.forRoot(options)], controllers: [SlowController] })
class AppModule {}

const app = await NestFactory.create(AppModule, { logger: ['error', 'warn'] });
app.connectMicroservice({ strategy: new ClusterPubSubServer(options) });
if (process.argv[3] === 'hooks') {
  app.enableShutdownHooks();
} else {
  process.once('SIGTERM', () => void app.close());
}
await app.startAllMicroservices();
await app.listen(0, '127.0.0.1');
// Opens the connections of the server, the client and the engine.
await lastValueFrom(app.get(ClusterPubSubClient).send('ping', {}));
await app.get(ClusterPubSub).subscribe(`${options.prefix ?? ''}news`);
console.log('serving');
