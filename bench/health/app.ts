import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { TerminusModule } from '@nestjs/terminus';
import type { ClusterNode } from 'ioredis';
import type * as Ours from 'nestjs-cluster-pubsub';
import type * as OursTerminus from 'nestjs-cluster-pubsub/terminus';
import { controllerOf } from '../arms/nest-app.js';

/** The built package, by path: under tsx its name is an alias of src. */
const built = (entry: string): string => new URL(`../../dist/esm/${entry}index.js`, import.meta.url).href;

/** Interval in ms between bursts of calls: single calls would need a timer of 5 ms, which is often late. */
const tick = 50;

/** Sent by the parent. */
export interface Orders {
  readonly nodes: ClusterNode[];
  readonly handlers: number;
}

/** One window to measure. */
export interface Window {
  readonly ms: number;
  /** Calls per second. */
  readonly rate: number;
}

/** The result of a {@link Window}. */
export interface WindowCost {
  /** CPU time as a share of one core, 0 to 1. */
  readonly cpu: number;
  readonly calls: number;
  readonly notUp: number;
}

process.once('message', (orders: Orders) => {
  void serve(orders);
});

/** A Nest service with handlers and a health indicator. */
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
