import 'reflect-metadata';
import { Controller, Logger, Module, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  type ClientProxy,
  EventPattern,
  MessagePattern,
  type MicroserviceOptions,
} from '@nestjs/microservices';
import type { ArmClient, Service } from '../arm.js';

/** A server as users have one: a Nest application with a controller, not the bare strategy. */
export async function serveNest(
  options: MicroserviceOptions,
  service: Service,
): Promise<{ close(): Promise<void> }> {
  @Module({ controllers: [controllerOf(service)] })
  class AppModule {}
  const app = await NestFactory.createMicroservice<MicroserviceOptions>(AppModule, {
    ...options,
    logger: false,
  });
  await app.listen();
  return { close: () => app.close() };
}

/** Their proxies differ in the types of their events, which matter to nobody here. */
type NestClient = Pick<ClientProxy<never, never>, 'connect' | 'send' | 'emit' | 'close'>;

/** What all clients of Nest have in common. */
export async function connectNest(client: NestClient): Promise<ArmClient> {
  // What stock clients have to tell while they connect is not for here.
  Logger.overrideLogger(['warn', 'error', 'fatal']);
  await client.connect();
  return {
    request(pattern, data, done) {
      let answer: unknown;
      client.send<unknown>(pattern, data).subscribe({
        next: (value) => (answer = value),
        error: done,
        complete: () => done(undefined, answer),
      });
    },
    emit: (pattern, data) => void client.emit(pattern, data),
    close: async () => {
      await client.close();
    },
  };
}

/** Nest 12's own types know the methods of the class, and these are made as we go. */
type Decorator = (target: object, name: string, descriptor: PropertyDescriptor) => unknown;

/** With a handler for each pattern of the service. */
export function controllerOf({ requests, events, onRequest, onEvent }: Service): Type {
  @Controller()
  class BenchController {}
  const add = (name: string, handler: (data: unknown) => unknown, decorator: Decorator): void => {
    // A function of its own each: Nest keeps the pattern as metadata of the function.
    const descriptor = { value: (data: unknown) => handler(data), configurable: true, writable: true };
    Object.defineProperty(BenchController.prototype, name, descriptor);
    decorator(BenchController.prototype, name, descriptor);
  };
  requests.forEach((pattern, index) => add(`request${index}`, onRequest, MessagePattern(pattern)));
  events.forEach((pattern, index) => add(`event${index}`, onEvent, EventPattern(pattern) as Decorator));
  return BenchController;
}
