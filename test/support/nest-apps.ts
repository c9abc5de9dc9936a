import { randomBytes } from 'node:crypto';
import type { INestApplication, INestMicroservice, LoggerService, ModuleMetadata } from '@nestjs/common';
import { Test, type TestingModuleBuilder } from '@nestjs/testing';
import request from 'supertest';
import {
  ClusterPubSubClient,
  ClusterPubSubModule,
  type ClusterPubSubOptions,
  ClusterPubSubServer,
} from '../../src/index.js';
import { type Closable, Closing } from './closing.js';
import { type ClusterSource, sharedCluster } from './shared-cluster.js';

/** The parts of a hybrid application besides `ClusterPubSubModule.forRoot`, which it always has. */
export interface HybridParts extends ModuleMetadata {
  /** Number of connected servers. Default 1. */
  servers?: number;
  /** Applies the application's global pipes, guards, … to the servers too. Default false, as in Nest. */
  inheritAppConfig?: boolean;
  /** Called before anything starts. */
  configure?(app: INestApplication, microservices: INestMicroservice[]): void;
}

export interface HybridApp {
  readonly app: INestApplication;
  readonly client: ClusterPubSubClient;
  readonly servers: readonly ClusterPubSubServer[];
}

/** Nest applications on channels of their own. What they log is collected in `logged` instead of printed. */
export class NestApps {
  readonly prefix = `nest-${randomBytes(4).toString('hex')}:`;
  readonly logged: string[] = [];
  readonly logger: LoggerService;
  readonly #opened = new Closing();

  constructor(private readonly cluster: ClusterSource) {
    const keep = (message: unknown): void => void this.logged.push(String(message));
    this.logger = { log: () => undefined, warn: keep, error: keep, fatal: keep };
  }

  options(more: Partial<ClusterPubSubOptions> = {}): ClusterPubSubOptions {
    return { nodes: [...this.cluster.nodes], prefix: this.prefix, ...more };
  }

  /** A module to be compiled, which logs to `logged`. */
  module(metadata: ModuleMetadata): TestingModuleBuilder {
    return Test.createTestingModule(metadata).setLogger(this.logger);
  }

  /** A hybrid application with its servers connected, not started yet. */
  async create(parts: HybridParts, options: Partial<ClusterPubSubOptions> = {}): Promise<HybridApp> {
    const { servers: count = 1, inheritAppConfig = false, configure, ...metadata } = parts;
    const imports = [ClusterPubSubModule.forRoot(this.options(options)), ...(metadata.imports ?? [])];
    const module = await this.module({ ...metadata, imports }).compile();
    const app = this.add(module.createNestApplication({ logger: this.logger }));
    const servers = Array.from({ length: count }, () => new ClusterPubSubServer(this.options(options)));
    const microservices = servers.map((strategy) =>
      // Deferred: global pipes, guards, … must be set before the handlers are bound.
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

  /** Registers an application of another kind to be closed with the others. */
  add<T extends Closable>(app: T): T {
    return this.#opened.add(app);
  }

  /** Closes everything now, before the end of the test. */
  close(): Promise<void> {
    return this.#opened.close();
  }
}

/** The Nest applications of a file, on the shared cluster by default; closed afterwards. */
export function nestApps(cluster: ClusterSource = { nodes: sharedCluster() }): NestApps {
  return new NestApps(cluster);
}

/** Sends HTTP requests to an application that listens. */
export function http({ app }: Pick<HybridApp, 'app'>): ReturnType<typeof request> {
  return request(app.getHttpServer() as Parameters<typeof request>[0]);
}
