import { randomBytes } from 'node:crypto';
import type { INestApplication, INestMicroservice, LoggerService, ModuleMetadata } from '@nestjs/common';
import { Test, type TestingModuleBuilder } from '@nestjs/testing';
import type { ClusterNode } from 'ioredis';
import request from 'supertest';
import {
  ClusterPubSubClient,
  ClusterPubSubModule,
  type ClusterPubSubOptions,
  ClusterPubSubServer,
} from '../../src/index.js';

/** What a hybrid application is made of, besides `ClusterPubSubModule.forRoot`, which it always has. */
export interface HybridParts extends ModuleMetadata {
  /** How many servers are connected to it. Default 1. */
  servers?: number;
  /** Whether the application's global pipes, guards, … are the servers' too. Default false, as with Nest. */
  inheritAppConfig?: boolean;
  /** Called before anything starts. */
  configure?(app: INestApplication, microservices: INestMicroservice[]): void;
}

export interface HybridApp {
  readonly app: INestApplication;
  readonly client: ClusterPubSubClient;
  readonly servers: readonly ClusterPubSubServer[];
}

/**
 * The Nest applications of one test file, on channels of its own. What they log is kept in `logged`, and nothing of it
 * is printed.
 */
export class NestApps {
  readonly prefix = `nest-${randomBytes(4).toString('hex')}:`;
  readonly logged: string[] = [];
  readonly logger: LoggerService;
  readonly #open: { close(): Promise<void> }[] = [];

  constructor(private readonly nodes: ClusterNode[]) {
    const keep = (message: unknown): void => void this.logged.push(String(message));
    this.logger = { log: () => undefined, warn: keep, error: keep, fatal: keep };
  }

  options(more: Partial<ClusterPubSubOptions> = {}): ClusterPubSubOptions {
    return { nodes: this.nodes, prefix: this.prefix, ...more };
  }

  /** A module to be compiled, which logs to `logged`. */
  module(metadata: ModuleMetadata): TestingModuleBuilder {
    return Test.createTestingModule(metadata).setLogger(this.logger);
  }

  /** A hybrid application with its servers connected, nothing started yet. */
  async create(parts: HybridParts, options: Partial<ClusterPubSubOptions> = {}): Promise<HybridApp> {
    const { servers: count = 1, inheritAppConfig = false, configure, ...metadata } = parts;
    const imports = [ClusterPubSubModule.forRoot(this.options(options)), ...(metadata.imports ?? [])];
    const module = await this.module({ ...metadata, imports }).compile();
    const app = module.createNestApplication({ logger: this.logger });
    this.#open.push(app);
    const servers = Array.from({ length: count }, () => new ClusterPubSubServer(this.options(options)));
    const microservices = servers.map((strategy) =>
      // Deferred, as what is global must be known before the handlers are bound.
      app.connectMicroservice({ strategy }, { inheritAppConfig, deferInitialization: true }),
    );
    configure?.(app, microservices);
    return { app, client: app.get(ClusterPubSubClient), servers };
  }

  /** A hybrid application that serves: over the cluster, and over HTTP on a free port. */
  async start(parts: HybridParts, options?: Partial<ClusterPubSubOptions>): Promise<HybridApp> {
    const hybrid = await this.create(parts, options);
    await hybrid.app.startAllMicroservices();
    await hybrid.app.listen(0, '127.0.0.1');
    return hybrid;
  }

  /** Closes with the applications. */
  closing<T extends { close(): Promise<void> }>(one: T): T {
    this.#open.push(one);
    return one;
  }

  async close(): Promise<void> {
    await Promise.all(this.#open.splice(0).map((one) => one.close()));
  }
}

/** Asks an application that listens over HTTP. */
export function http({ app }: Pick<HybridApp, 'app'>): ReturnType<typeof request> {
  return request(app.getHttpServer() as Parameters<typeof request>[0]);
}
