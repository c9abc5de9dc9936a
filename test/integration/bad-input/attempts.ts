// A program that tries everything that needs the cluster, with the options in OPTIONS, and prints a line of JSON for
// each attempt. It closes nothing that failed, catches nothing else, and never calls process.exit().
import 'reflect-metadata';
import { Controller, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { MessagePattern } from '@nestjs/microservices';
import { ClusterPubSubClient, ClusterPubSubModule, ClusterPubSubServer } from 'nestjs-cluster-pubsub';
import { lastValueFrom } from 'rxjs';

const options = JSON.parse(process.env.OPTIONS ?? '{}');
const logger = ['warn', 'error', 'fatal'] as ('warn' | 'error' | 'fatal')[];

@Controller()
class EchoController {
  @MessagePattern('echo')
  echo(): string {
    return 'echo';
  }
}

@Module({ imports: [ClusterPubSubModule.forRoot(options)], controllers: [EchoController] })
class AppModule {}

async function attempt(what: string, work: () => Promise<unknown>): Promise<void> {
  const began = performance.now();
  const result = await work().then(
    () => ({ code: 'no error' }),
    (error: unknown) => {
      const { code, message } = error as { code?: string; message?: string };
      return { code, message };
    },
  );
  console.log(JSON.stringify({ what, ...result, ms: Math.round(performance.now() - began) }));
}

await attempt('microservice', async () => {
  const strategy = new ClusterPubSubServer(options);
  const app = await NestFactory.createMicroservice(AppModule, { strategy, logger });
  await app.listen();
});

await attempt('hybrid application', async () => {
  const app = await NestFactory.create(AppModule, { logger });
  app.connectMicroservice({ strategy: new ClusterPubSubServer(options) });
  await app.startAllMicroservices();
});

const client = new ClusterPubSubClient(options);
await attempt('connect', () => client.connect());
await attempt('send', () => lastValueFrom(client.send('echo', 1)));
await attempt('emit', () => lastValueFrom(client.emit('echo', 1), { defaultValue: undefined }));
// As a handler does that does not care what becomes of it.
client.emit('forgotten', 1);
