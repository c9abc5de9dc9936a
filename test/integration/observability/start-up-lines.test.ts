import { beforeEach, expect, it } from '@jest/globals';
import { Controller, Logger, type LoggerService } from '@nestjs/common';
import { EventPattern, MessagePattern } from '@nestjs/microservices';
import { NestFactory } from '@nestjs/core';
import { Module } from '@nestjs/common';
import { slotOf } from '../../../src/pubsub/common/channel-name.js';
import type { ClusterPubSubServer } from '../../../src/transport/index.js';
import { addHandlers, listen, transports } from '../../support/transports.js';

const harness = transports();
const mapped: string[] = [];
const contexts = new Set<unknown>();
const logger: LoggerService = {
  log: (message: unknown, context: unknown) => {
    if (String(message).startsWith('Mapped')) {
      mapped.push(String(message));
      contexts.add(context);
    }
  },
  warn: () => undefined,
  error: () => undefined,
};

beforeEach(() => {
  mapped.length = 0;
  Logger.overrideLogger(logger);
});

function placeOf(server: ClusterPubSubServer, pattern: string): string {
  const channel = `${harness.prefix}${pattern}`;
  return `slot ${String(slotOf(channel))} at ${server.unwrap().nodeOf(channel)!}`;
}

it('a server writes a line for each handler once it listens: pattern, kind, slot and node', async () => {
  const server = harness.newServer();
  addHandlers(server, {
    'order.create': () => 1,
    'event:order.created': () => 1,
    'event:order.*': () => 1,
    'audit.*': () => 1,
  });
  server.addHandler('tick', async () => 1, true, { mode: 'sharded' });
  server.addHandler('tock', async () => 1, true, { mode: 'classic' });
  expect(mapped).toEqual([]);
  await listen(server);
  const home = server.unwrap().nodeOf('', 'pattern')!;
  expect(mapped).toEqual([
    `Mapped {order.create, request} (classic and sharded, ${placeOf(server, 'order.create')})`,
    `Mapped {order.created, event} (classic and sharded, ${placeOf(server, 'order.created')})`,
    `Mapped {order.*, event} (pattern, at ${home})`,
    `Mapped {audit.*, request} (pattern, at ${home})`,
    `Mapped {tick, event} (sharded, ${placeOf(server, 'tick')})`,
    `Mapped {tock, event} (classic, ${placeOf(server, 'tock')})`,
  ]);
  expect(contexts).toEqual(new Set(['ClusterPubSubServer']));
});

it('a handler of messages that each master sends to its own clients is logged as subscribed at all masters', async () => {
  const server = harness.newServer();
  const extras = { nodes: 'all-masters' };
  server.addHandler('__keyevent@0__:expired', async () => 1, true, extras);
  server.addHandler('__keyspace@0__:*', async () => 1, true, extras);
  await listen(server);
  expect(mapped).toEqual([
    'Mapped {__keyevent@0__:expired, event} (classic, at all masters)',
    'Mapped {__keyspace@0__:*, event} (pattern, at all masters)',
  ]);
});

it('two handlers of one pattern are two lines', async () => {
  const server = harness.newServer();
  addHandlers(server, { 'event:told': () => 1 });
  addHandlers(server, { told: () => 1, 'event:told': () => 2 });
  await listen(server);
  const place = `(classic and sharded, ${placeOf(server, 'told')})`;
  expect(mapped).toEqual([
    `Mapped {told, request} ${place}`,
    `Mapped {told, event} ${place}`,
    `Mapped {told, event} ${place}`,
  ]);
});

it('so does a Nest application', async () => {
  @Controller()
  class OrdersController {
    @MessagePattern({ cmd: 'create' })
    create(): number {
      return 1;
    }

    @EventPattern<string>('created')
    created(): void {
      // Listening is enough.
    }
  }

  @Module({ controllers: [OrdersController] })
  class OrdersModule {}

  const server = harness.newServer();
  const app = await NestFactory.createMicroservice(OrdersModule, { strategy: server, logger });
  await app.listen();
  expect(mapped).toEqual([
    `Mapped {{"cmd":"create"}, request} (classic and sharded, ${placeOf(server, '{"cmd":"create"}')})`,
    `Mapped {created, event} (classic and sharded, ${placeOf(server, 'created')})`,
  ]);
  await app.close();
});

it('a server that cannot listen maps nothing', async () => {
  const server = harness.newServer({ nodes: [{ host: '127.0.0.1', port: 1 }], connectTimeout: 100 });
  addHandlers(server, { ask: () => 1 });
  await expect(listen(server)).rejects.toMatchObject({ code: 'CLUSTER_UNREACHABLE' });
  expect(mapped).toEqual([]);
});
