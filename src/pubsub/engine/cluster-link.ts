import type { Cluster } from 'ioredis';
import type { ChannelName } from '../common/channel-name.js';
import type { Metrics } from '../common/metrics.js';
import type { NodeKey } from '../common/node-address.js';
import {
  readLimits,
  readOverflowPolicy,
  type ClusterConnectionOptions,
  type Limits,
} from '../common/options.js';
import type { PublishCommand } from '../common/publish-options.js';
import { CommandConnectionPool } from '../connection/command-connection-pool.js';
import { ConnectionFactory } from '../connection/connection-factory.js';
import { connectionName } from '../connection/connection-name.js';
import { isCluster, readStartupNodes } from '../connection/startup-nodes.js';
import { ProbeRunner } from '../health/probe-runner.js';
import { ClusterQuery } from '../introspection/cluster-query.js';
import type { StampCodec } from '../ordering/sequence-stamp.js';
import { Publisher } from '../publish/publisher.js';
import type { MessageSink } from '../reconciler/node-subscriber.js';
import { Reconciler, type ReconcilerListener } from '../reconciler/reconciler.js';
import type { MigrationSink } from '../reconciler/subscription-migrations.js';
import type { SubscriptionRegistry } from '../subscription/subscription-registry.js';
import { SlotlessNodes } from '../topology/slotless-nodes.js';
import { Topology } from '../topology/topology.js';

/** What a link needs of the scope whose subscriptions it makes actual and whose messages it publishes. */
export interface LinkScope {
  readonly registry: SubscriptionRegistry;
  /** Where received messages go. */
  readonly sink: MessageSink & MigrationSink;
  readonly metrics: Metrics;
  /** How numbered messages carry their stamp, and whether messages are numbered. */
  readonly stamps: { readonly codec: StampCodec; readonly byDefault: boolean };
  /** Starts the names of channels that the link uses itself. */
  readonly prefix: string;
  readonly listener: ReconcilerListener;
  publishFailed(command: PublishCommand, channel: ChannelName, error: unknown): void;
}

/**
 * Default time for one node to accept a connection, in ms, where `redisOptions.connectTimeout` is not set: a node that
 * hangs must not delay what could go to its successor.
 */
const NODE_CONNECT_TIMEOUT_MS = 2_000;

/**
 * The link to one cluster: topology, connections, reconciler, publisher and probes.
 *
 * It knows nothing of readers, handlers or events. Those belong to a scope ({@link Engine}), of which a link has one
 * today.
 */
export class ClusterLink {
  readonly limits: Limits;
  readonly topology: Topology;
  readonly connections: CommandConnectionPool;
  readonly slotlessNodes: SlotlessNodes;
  readonly query: ClusterQuery;
  /** Whether the cluster supports sharded pub/sub; true until {@link connect} has queried it. */
  supportsSharded = true;
  readonly #onOverflow;
  readonly #factory: ConnectionFactory;
  #reconciler: Reconciler | undefined;
  #publisher: Publisher | undefined;

  /** @throws {@link InvalidArgumentError} when an option cannot work */
  constructor(source: Cluster | ClusterConnectionOptions, bufferLimit: number | undefined, prefix: string) {
    const options: ClusterConnectionOptions = isCluster(source) ? { cluster: source } : source;
    this.limits = readLimits({ ...options, bufferLimit });
    this.#onOverflow = readOverflowPolicy(options.onOverflow);
    const { connectTimeout, commandTimeout } = this.limits;
    const startupNodes = readStartupNodes(options);
    const { clusterOptions, credentials } = startupNodes;
    this.#factory = new ConnectionFactory(
      clusterOptions,
      credentials,
      Math.min(connectTimeout, clusterOptions.redisOptions?.connectTimeout ?? NODE_CONNECT_TIMEOUT_MS),
      connectionName(prefix),
    );
    this.connections = new CommandConnectionPool(this.#factory, commandTimeout);
    this.topology = new Topology(this.connections, startupNodes);
    this.slotlessNodes = new SlotlessNodes(this.topology, this.connections, clusterOptions.natMap);
    this.query = new ClusterQuery(this.topology, this.connections, this.slotlessNodes);
  }

  /** Makes the subscriptions of the scope actual, and publishes for it. */
  attach(scope: LinkScope): { reconciler: Reconciler; publisher: Publisher; probeRunner: ProbeRunner } {
    const { topology, limits } = this;
    const publisher = new Publisher(
      topology,
      this.connections,
      { ...limits, onOverflow: this.#onOverflow },
      scope.stamps,
      scope.metrics,
      (command, channel, error) => scope.publishFailed(command, channel, error),
    );
    const probes = {
      topology,
      limits,
      metrics: scope.metrics,
      prefix: scope.prefix,
      sharded: () => this.supportsSharded,
      publish: (command: PublishCommand, channel: string) =>
        new Promise<number>((published, failed) =>
          publisher.publish(command, channel, '', { published, failed }, { sequence: false }, true),
        ),
    };
    const reconciler = new Reconciler(
      scope.registry,
      topology,
      this.#factory,
      { ...limits, numbered: scope.stamps.byDefault },
      probes,
      scope.metrics,
      scope.sink,
      scope.listener,
    );
    const probeRunner = new ProbeRunner(
      reconciler.nodeSubscribers,
      this.#factory,
      limits.commandTimeout,
      probes,
      topology,
    );
    this.#reconciler = reconciler;
    this.#publisher = publisher;
    return { reconciler, publisher, probeRunner };
  }

  /** Finds the cluster and queries what it supports; rejects if `required` is not one of its nodes. */
  async connect(required: NodeKey | undefined, signal: AbortSignal): Promise<void> {
    await this.topology.connect(this.limits.connectTimeout, signal);
    this.supportsSharded = await this.query.supports('SPUBLISH');
    if (required !== undefined) {
      await this.topology.assertKnown([required]);
    }
  }

  /** Closes what a failed {@link connect} has opened: a server that is not a cluster has answered on a connection. */
  dropConnections(): void {
    this.connections.retain(new Set());
  }

  /** Resolves when all connections are closed. */
  async close(): Promise<void> {
    this.topology.close();
    this.#reconciler?.close();
    this.#publisher?.close();
    this.#factory.close();
    await this.connections.close();
  }
}
