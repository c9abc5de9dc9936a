import { randomBytes } from 'node:crypto';
import { Logger, type LoggerService } from '@nestjs/common';
import type { MessageHandler } from '@nestjs/microservices';
import { Redis } from 'ioredis';
import type { Observable } from 'rxjs';
import {
  ClusterPubSubClient,
  type ClusterPubSubContext,
  type ClusterPubSubOptions,
  ClusterPubSubServer,
} from '../../src/transport/index.js';
import { Closing } from './closing.js';
import { type ClusterSource, sharedCluster } from './shared-cluster.js';

type Handler = (data: never, context: ClusterPubSubContext) => unknown;

/** Handlers by pattern; a key `event:x` is an event handler of `x`. */
export type Handlers = Record<string, Handler>;

/** The log of the file so far, which is not printed. Nest's logger is global. */
export const logged: string[] = [];

const keep = (message: unknown): void => void logged.push(String(message));
const logger: LoggerService = { log: () => undefined, warn: keep, error: keep, fatal: keep, debug: keep };
Logger.overrideLogger(logger);

/** Servers and clients on one cluster, with channels of their own; closed afterwards. */
export class Transports {
  readonly prefix = `t${randomBytes(4).toString('hex')}:`;
  readonly #opened = new Closing();

  constructor(private readonly cluster: ClusterSource) {}

  options(more: Partial<ClusterPubSubOptions> = {}): ClusterPubSubOptions {
    return { nodes: [...this.cluster.nodes], prefix: this.prefix, shutdownGracePeriod: 200, ...more };
  }

  newServer(options?: Partial<ClusterPubSubOptions>): ClusterPubSubServer {
    return this.#opened.add(new ClusterPubSubServer(this.options(options)));
  }

  /** A server that listens. */
  async server(handlers: Handlers, options?: Partial<ClusterPubSubOptions>): Promise<ClusterPubSubServer> {
    const server = this.newServer(options);
    addHandlers(server, handlers);
    await listen(server);
    return server;
  }

  client(options?: Partial<ClusterPubSubOptions>): ClusterPubSubClient {
    return this.#opened.add(new ClusterPubSubClient(this.options(options)));
  }

  /** A plain connection to one node, as a program that does not use this package has it. */
  redis(index = 0): Redis {
    const { nodes } = this.cluster;
    const { host, port } = nodes[index % nodes.length] as { host: string; port: number };
    const redis = new Redis({ host, port });
    redis.on('error', () => undefined);
    this.#opened.add({ close: () => redis.disconnect() });
    return redis;
  }

  /** Closes everything now, before the end of the test. */
  close(): Promise<void> {
    return this.#opened.close();
  }
}

/** Servers and clients of a file or a `describe`, on the shared cluster by default. */
export function transports(cluster: ClusterSource = { nodes: sharedCluster() }): Transports {
  return new Transports(cluster);
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
