// An application that says good-bye on many topics in its shutdown hooks, and is restarted by its parent.
import 'reflect-metadata';
import { type BeforeApplicationShutdown, Injectable, Module, type OnModuleDestroy } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ClusterPubSubClient, ClusterPubSubModule, type ClusterPubSubOptions } from '../../../src/index.js';

const options = JSON.parse(process.argv[2] ?? '') as ClusterPubSubOptions;
const topics = JSON.parse(process.argv[3] ?? '') as string[];
const name = process.argv[4] ?? '';

@Injectable()
class Farewell implements OnModuleDestroy, BeforeApplicationShutdown {
  constructor(private readonly client: ClusterPubSubClient) {}

  onModuleDestroy(): void {
    topics.forEach((topic) => this.client.emit(topic, `${name} leaves`));
  }

  beforeApplicationShutdown(): void {
    topics.forEach((topic) => this.client.emit(topic, `${name} has left`));
  }
}

@Module({ imports: [ClusterPubSubModule.forRoot(options)], providers: [Farewell] })
class AppModule {}

const app = await NestFactory.createApplicationContext(AppModule, { logger: ['error', 'warn'] });
app.enableShutdownHooks();
console.log('serving');
setInterval(() => undefined, 60_000); // as a server would keep it alive
