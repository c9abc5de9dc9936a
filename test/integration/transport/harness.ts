import { randomBytes } from 'node:crypto';
import { Logger, type LoggerService } from '@nestjs/common';
import type { MessageHandler } from '@nestjs/microservices';
import { type ClusterNode, Redis } from 'ioredis';
import type { Observable } from 'rxjs';
import {
  ClusterPubSubClient,
  type ClusterPubSubContext,
  type ClusterPubSubOptions,
  ClusterPubSubServer,
} from '../../../src/transport/index.js';

type Handler = (data: never, context: ClusterPubSubContext) => unknown;

/** Handlers by pattern; a key `event:x` is an event handler of `x`. */
export type Handlers = Record<string, Handler>;

/** What was logged since the file began, as Nest's logger is one for all; nothing of it is printed. */
export const logged: string[] = [];

const keep = (message: unknown): void => void logged.push(String(message));
const logger: LoggerService = { log: () => undefined, warn: keep, error: keep, fatal: keep, debug: keep };
Logger.overrideLogger(logger);

/** Servers and clients of one test, on channels of its own. */
export class Harness {
  readonly prefix = `t${randomBytes(4).toString('hex')}:`;
  readonly #open: { close(): unknown }[] = [];

  constructor(private readonly nodes: ClusterNode[]) {}

  options(more: Partial<ClusterPubSubOptions> = {}): ClusterPubSubOptions {
    return { nodes: this.nodes, prefix: this.prefix, shutdownGracePeriod: 200, ...more };
  }

  newServer(options?: Partial<ClusterPubSubOptions>): ClusterPubSubServer {
    const server = new ClusterPubSubServer(this.options(options));
    this.#open.push(server);
    return server;
  }

  /** A server that listens. */
  async server(handlers: Handlers, options?: Partial<ClusterPubSubOptions>): Promise<ClusterPubSubServer> {
    const server = this.newServer(options);
    addHandlers(server, handlers);
    await listen(server);
    return server;
  }

  client(options?: Partial<ClusterPubSubOptions>): ClusterPubSubClient {
    const client = new ClusterPubSubClient(this.options(options));
    this.#open.push(client);
    return client;
  }

  /** A plain connection to one node, as a foreign program has it. */
  redis(index = 0): Redis {
    const { host, port } = this.nodes[index % this.nodes.length] as { host: string; port: number };
    const redis = new Redis({ host, port });
    redis.on('error', () => undefined);
    this.#open.push({ close: () => redis.disconnect() });
    return redis;
  }

  /** Closes what was opened, servers and clients alike. */
  async close(): Promise<void> {
    await Promise.all(this.#open.splice(0).map((one) => one.close()));
  }
}

export function addHandlers(server: ClusterPubSubServer, handlers: Handlers): void {
  for (const [key, handler] of Object.entries(handlers)) {
    const isEvent = key.startsWith('event:');
    const callback = ((data: never, context: ClusterPubSubContext) =>
      handler(data, context)) as MessageHandler;
    server.addHandler(isEvent ? key.slice('event:'.length) : key, callback, isEvent);
  }
}

export function listen(server: ClusterPubSubServer): Promise<void> {
  return new Promise((resolve, reject) => {
    void server.listen((error) => {
      if (error === undefined) {
        resolve();
      } else {
        reject(error instanceof Error ? error : new Error('not an Error'));
      }
    });
  });
}

/** A promise to be resolved by an event, and what it was resolved with. */
export class Signal<T = void> {
  resolve!: (value: T) => void;
  readonly promise = new Promise<T>((resolve) => (this.resolve = resolve));
}

/** All values of an Observable, or the error it ended with. */
export function outcome(source: Observable<unknown>): Promise<{ values: unknown[]; error?: unknown }> {
  return new Promise((resolve) => {
    const values: unknown[] = [];
    source.subscribe({
      next: (value) => values.push(value),
      error: (error: unknown) => resolve({ values, error }),
      complete: () => resolve({ values }),
    });
  });
}
