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

/** A server as users write it: a Nest application with a controller, not the bare strategy. */
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

/** The proxies differ only in the types of their events, which are not used here. */
type NestClient = Pick<ClientProxy<never, never>, 'connect' | 'send' | 'emit' | 'close'>;

/** Creates a client of the bench from any Nest client. */
export async function connectNest(client: NestClient): Promise<ArmClient> {
  // Log lines of stock clients that connect are not part of the output.
  Logger.overrideLogger(['warn', 'error', 'fatal']);
  await client.connect();
  return {
    request(pattern, data, done) {
      client.send<unknown>(pattern, data).subscribe(new Answer(done));
    },
    emit: (pattern, data) => void client.emit(pattern, data),
    close: async () => {
      await client.close();
    },
  };
}

/** Not closures: tsx sets the name of each closure, which costs as much as the closure again. */
class Answer {
  #value: unknown;

  constructor(private readonly done: (error?: unknown, answer?: unknown) => void) {}

  next(value: unknown): void {
    this.#value = value;
  }

  error(error: unknown): void {
    this.done(error);
  }

  complete(): void {
    this.done(undefined, this.#value);
  }
}

/** Nest 12 types decorators by the methods of the class, and these methods are generated. */
type Decorator = (target: object, name: string, descriptor: PropertyDescriptor) => unknown;

/** Creates a controller with a handler for each pattern of the service. */
export function controllerOf({ requests, events, onRequest, onEvent }: Service): Type {
  @Controller()
  class BenchController {}
  const add = (name: string, handler: (data: unknown) => unknown, decorator: Decorator): void => {
    // A function for each pattern: Nest keeps the pattern as metadata of the function.
    const descriptor = { value: (data: unknown) => handler(data), configurable: true, writable: true };
    Object.defineProperty(BenchController.prototype, name, descriptor);
    decorator(BenchController.prototype, name, descriptor);
  };
  requests.forEach((pattern, index) => add(`request${index}`, onRequest, MessagePattern(pattern)));
  events.forEach((pattern, index) => add(`event${index}`, onEvent, EventPattern(pattern) as Decorator));
  return BenchController;
}
