import { randomBytes } from 'node:crypto';
import { Logger, Module, type LoggerService, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  type ClientProxy,
  ClientRedis,
  type CustomStrategy,
  type MicroserviceOptions,
  type RedisOptions,
  ServerRedis,
} from '@nestjs/microservices';
import { Redis } from 'ioredis';
import { ClusterPubSub } from '../../../src/pubsub/index.js';
import {
  ClusterPubSubClient,
  type ClusterPubSubOptions,
  ClusterPubSubServer,
} from '../../../src/transport/index.js';
import { sharedCluster } from '../../support/shared-cluster.js';

type StockOptions = NonNullable<RedisOptions['options']>;

/** A client of either side. */
export type Asker = Pick<ClientProxy, 'send' | 'emit'>;

/** A name that nobody else on the shared cluster uses: stock Nest has no prefix. */
export function unique(name: string): string {
  return `cmp-${randomBytes(4).toString('hex')}.${name}`;
}

/**
 * Nest's own Redis transport and ours side by side on the shared cluster: the same controllers, the same calls. Stock
 * Nest talks to one node, for it knows no cluster.
 */
export class Sides {
  /** What either side logged as a warning or an error; nothing of it is printed. */
  readonly logged: string[] = [];
  readonly #nodes = sharedCluster() as { host: string; port: number }[];
  readonly #prefix = unique('');
  readonly #open: { close(): unknown }[] = [];

  readonly #logger: LoggerService;

  constructor() {
    const keep = (message: unknown): void => void this.logged.push(String(message));
    const ignore = (): void => undefined;
    this.#logger = { log: ignore, debug: ignore, verbose: ignore, warn: keep, error: keep, fatal: keep };
    Logger.overrideLogger(this.#logger);
  }

  /** The channel on the cluster that our side uses for a pattern. */
  ourChannel(pattern: string): string {
    return this.#prefix + pattern;
  }

  async stockServer(controller: Type, options?: StockOptions): Promise<ServerRedis> {
    const server = new ServerRedis({ ...this.#nodes[0], ...options });
    await this.#serve(controller, server);
    // Stock `listen()` does not wait for its SUBSCRIBE; commands of one connection are answered in order.
    const [, subscriber] = server.unwrap<[Redis, Redis]>();
    await subscriber.ping();
    return server;
  }

  async ourServer(controller: Type, options?: Partial<ClusterPubSubOptions>): Promise<ClusterPubSubServer> {
    const server = new ClusterPubSubServer({ ...this.#ourOptions, ...options });
    await this.#serve(controller, server);
    return server;
  }

  async stockClient(options?: StockOptions): Promise<ClientRedis> {
    const client = new ClientRedis({ ...this.#nodes[0], ...options });
    this.#open.push(client);
    await client.connect();
    return client;
  }

  async ourClient(options?: Partial<ClusterPubSubOptions>): Promise<ClusterPubSubClient> {
    const client = new ClusterPubSubClient({ ...this.#ourOptions, ...options });
    this.#open.push(client);
    await client.connect();
    return client;
  }

  /** An engine that starts from one node of the cluster. */
  engine(node = 0): ClusterPubSub {
    const engine = new ClusterPubSub({ nodes: [this.#nodes[node] as { host: string; port: number }] });
    this.#open.push(engine);
    return engine;
  }

  /** A plain connection to one node. */
  redis(node = 0): Redis {
    const redis = new Redis(this.#nodes[node] as { host: string; port: number });
    this.#open.push({ close: () => redis.disconnect() });
    return redis;
  }

  get #ourOptions(): ClusterPubSubOptions {
    return { nodes: this.#nodes, prefix: this.#prefix };
  }

  /** Closes what was opened, the last first. */
  async close(): Promise<void> {
    for (const one of this.#open.splice(0).reverse()) await one.close();
  }

  async #serve(controller: Type, strategy: CustomStrategy['strategy']): Promise<void> {
    @Module({ controllers: [controller] })
    class ServiceModule {}
    const app = await NestFactory.createMicroservice<MicroserviceOptions>(ServiceModule, {
      strategy,
      logger: this.#logger,
    });
    this.#open.push(app);
    await app.listen();
  }
}
