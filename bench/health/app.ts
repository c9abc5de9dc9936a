import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { TerminusModule } from '@nestjs/terminus';
import type { ClusterNode } from 'ioredis';
import type * as Ours from 'nestjs-cluster-pubsub';
import type * as OursTerminus from 'nestjs-cluster-pubsub/terminus';
import { controllerOf } from '../arms/nest-app.js';

/** What is built, by its path: its name is an alias of src for whoever runs under tsx. */
const built = (entry: string): string => new URL(`../../dist/esm/${entry}index.js`, import.meta.url).href;

/** In ms; calls are made some at once: a timer of 5 ms is late as often as not. */
const tick = 50;

/** Sent by the parent. */
export interface Orders {
  readonly nodes: ClusterNode[];
  readonly handlers: number;
}

/** What is to be measured. */
export interface Window {
  readonly ms: number;
  /** Calls a second. */
  readonly rate: number;
}

/** The answer. */
export interface WindowCost {
  /** Of a core, 0 to 1. */
  readonly cpu: number;
  readonly calls: number;
  readonly notUp: number;
}

process.once('message', (orders: Orders) => {
  void serve(orders);
});

/** A Nest service with handlers and a health indicator, as its load balancer knows it. */
async function serve({ nodes, handlers }: Orders): Promise<void> {
  const { ClusterPubSubModule, ClusterPubSubServer } = (await import(built(''))) as typeof Ours;
  const { ClusterPubSubHealthIndicator } = (await import(built('terminus/'))) as typeof OursTerminus;

  const events = Array.from({ length: handlers }, (_, index) => `bench.health.${index}`);
  @Module({
    imports: [ClusterPubSubModule.forRoot({ nodes }), TerminusModule],
    controllers: [
      controllerOf({ requests: [], events, onRequest: (data) => data, onEvent: () => undefined }),
    ],
    providers: [ClusterPubSubHealthIndicator],
  })
  class App {}

  const app = await NestFactory.create(App, { logger: ['error'] });
  app.connectMicroservice({ strategy: new ClusterPubSubServer({ nodes }) });
  await app.startAllMicroservices();
  const indicator = app.get(ClusterPubSubHealthIndicator);

  process.on('message', ({ ms, rate }: Window) => {
    let made = 0;
    let notUp = 0;
    const started = performance.now();
    const before = process.cpuUsage();
    const timer = setInterval(() => {
      for (let call = 0; call < (rate / 1_000) * tick; call += 1) {
        made += 1;
        void indicator.isHealthy('redis').then(({ redis }) => {
          if (redis.status !== 'up') notUp += 1;
        });
      }
    }, tick);
    setTimeout(() => {
      clearInterval(timer);
      const { user, system } = process.cpuUsage(before);
      const cpu = (user + system) / 1_000 / (performance.now() - started);
      process.send?.({ cpu, calls: made, notUp } satisfies WindowCost);
    }, ms);
  });
  process.send?.('ready');
}
