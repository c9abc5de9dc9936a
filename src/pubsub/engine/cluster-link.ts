import { settledWithin } from '../../util/promises.js';
import type { ChannelName } from '../common/channel-name.js';
import type { ClusterPubSubError } from '../common/errors.js';
import type { NodeKey } from '../common/node-address.js';
import type { Limits, OverflowPolicy } from '../common/options.js';
import type { PublishCommand } from '../common/publish-options.js';
import type { SubscriptionKind } from '../common/subscription-kind.js';
import { CommandConnectionPool } from '../connection/command-connection-pool.js';
import { ConnectionFactory } from '../connection/connection-factory.js';
import { connectionName } from '../connection/connection-name.js';
import { publishOnce } from '../connection/pubsub-commands.js';
import type { StartupNodes } from '../connection/startup-nodes.js';
import { ProbeRunner } from '../health/probe-runner.js';
import { ClusterQuery, supports } from '../introspection/cluster-query.js';
import type { StampCodec } from '../ordering/sequence-stamp.js';
import { BusFence } from '../publish/bus-fence.js';
import { Publisher } from '../publish/publisher.js';
import { NodeSubscribers, type Carriers } from '../reconciler/node-subscribers.js';
import { Reconciler, type ReconcilerListener } from '../reconciler/reconciler.js';
import type { MigrationSink } from '../reconciler/subscription-migrations.js';
import {
  Subscription,
  type SubscriptionScope,
  type SubscriptionTarget,
} from '../subscription/subscription.js';
import type { SubscriptionRegistry } from '../subscription/subscription-registry.js';
import { SlotlessNodes } from '../topology/slotless-nodes.js';
import { Topology } from '../topology/topology.js';

/** A connection for queries is closed when it was not used for so long. */
const QUERY_IDLE_TIMEOUT_MS = 60_000;

/** The limits that concern connections; scopes that share a link have them in common. */
export type LinkLimits = Pick<Limits, 'connectTimeout' | 'commandTimeout' | 'probeInterval' | 'probeTimeout'>;

/** What a link needs of a scope whose subscriptions it makes actual and whose messages it publishes. */
export interface LinkScope {
  readonly registry: SubscriptionRegistry;
  /** Where received messages go. */
  readonly sink: SubscriptionScope & MigrationSink;
  readonly limits: Limits;
  readonly onOverflow: OverflowPolicy;
  /** How numbered messages carry their stamp, and whether messages are numbered. */
  readonly stamps: { readonly codec: StampCodec; readonly byDefault: boolean };
  /** Starts the names of channels that the link uses itself. */
  readonly prefix: string;
  readonly listener: ReconcilerListener;
  publishFailed(command: PublishCommand, channel: ChannelName, error: unknown): void;
}

/** The parts of a link that are those of one scope. */
export interface LinkParts {
  readonly reconciler: Reconciler;
  readonly publisher: Publisher;
  readonly carriers: Carriers;
}

/**
 * Default time for one node to accept a connection, in ms, where `redisOptions.connectTimeout` is not set: a node that
 * hangs must not delay what could go to its successor.
 */
const NODE_CONNECT_TIMEOUT_MS = 2_000;

/** How long a reply may still take when the time of `close()` is over: it may have arrived already. */
const LAST_REPLY_TIMEOUT_MS = 100;

/**
 * The link of a process to one cluster: topology, connections and probes, shared by any number of scopes.
 *
 * It knows nothing of readers, handlers or events. Those belong to the scopes ({@link Engine}), each of which has a
 * reconciler and a publisher of its own, so that no limit, pause or error of one concerns another. The link is open
 * while a scope is connected.
 */
export class ClusterLink {
  readonly topology: Topology;
  readonly connections: CommandConnectionPool;
  /** For queries whose replies may be long: publishes do not wait behind them. */
  readonly queryConnections: CommandConnectionPool;
  readonly slotlessNodes: SlotlessNodes;
  readonly query: ClusterQuery;
  readonly probeRunner: ProbeRunner;
  /** Whether the cluster supports sharded pub/sub; true until {@link connect} has queried it. */
  supportsSharded = true;
  readonly #factory: ConnectionFactory;
  readonly #fence: BusFence;
  readonly #subscribers: NodeSubscribers;
  readonly #scopes = new Map<LinkScope, LinkParts>();
  /** The scopes that use the link: from {@link connect} until it fails, or they are detached. */
  readonly #users = new Set<LinkScope>();

  constructor(
    startupNodes: StartupNodes,
    private readonly limits: LinkLimits,
  ) {
    const { connectTimeout, commandTimeout } = limits;
    const { clusterOptions, credentials } = startupNodes;
    this.#factory = new ConnectionFactory(
      clusterOptions,
      credentials,
      Math.min(connectTimeout, clusterOptions.redisOptions?.connectTimeout ?? NODE_CONNECT_TIMEOUT_MS),
      () => connectionName(this.#prefix),
    );
    this.connections = new CommandConnectionPool(this.#factory, commandTimeout);
    this.queryConnections = new CommandConnectionPool(this.#factory, commandTimeout, QUERY_IDLE_TIMEOUT_MS);
    this.topology = new Topology(this.connections, startupNodes);
    this.#factory.identity.onForeign((error) => {
      // A connection from before the node changed clusters.
      this.#subscribers.of(error.node as NodeKey).forEach((one) => one.giveUpConnection(error.message));
      this.#report(error);
    });
    this.topology.foreign.onReplaced((warning) => this.#report(warning));
    this.slotlessNodes = new SlotlessNodes(this.topology, this.queryConnections, clusterOptions.natMap);
    this.query = new ClusterQuery(this.topology, this.queryConnections, this.slotlessNodes);
    const restricted = (clusterOptions.redisOptions?.username ?? credentials.username) !== undefined;
    this.#fence = new BusFence({
      factory: this.#factory,
      connections: this.connections,
      commandTimeout,
      prefix: () => (restricted ? this.#prefix : ''),
    });
    const probes = {
      topology: this.topology,
      limits,
      prefix: () => this.#prefix,
      restricted,
      sharded: () => this.supportsSharded,
      publish: async (node: NodeKey, command: PublishCommand, channel: string) => {
        const connection = await this.connections.connect(node);
        return publishOnce(connection, command, channel);
      },
    };
    this.#subscribers = new NodeSubscribers(this.#factory, commandTimeout, probes);
    this.probeRunner = new ProbeRunner(
      this.#subscribers,
      this.#factory,
      commandTimeout,
      probes,
      this.topology,
    );
  }

  /** Number of scopes, connected or not. */
  get size(): number {
    return this.#scopes.size;
  }

  /** Makes the subscriptions of the scope actual, and publishes for it, until {@link detach}. */
  attach(scope: LinkScope): LinkParts {
    const { registry, sink, limits, onOverflow, stamps, listener } = scope;
    const publisher = new Publisher(
      this.topology,
      this.connections,
      this.#fence,
      { ...limits, onOverflow },
      stamps,
      sink.metrics,
      (command, channel, error) => scope.publishFailed(command, channel, error),
    );
    const reconciler = new Reconciler(
      registry,
      this.topology,
      this.#subscribers,
      { ...limits, numbered: stamps.byDefault },
      sink,
      listener,
    );
    const parts = { reconciler, publisher, carriers: this.#subscribers.carriersOf(sink) };
    this.#scopes.set(scope, parts);
    return parts;
  }

  newSubscription(
    scope: LinkScope,
    kind: SubscriptionKind,
    name: ChannelName,
    target: SubscriptionTarget,
  ): Subscription {
    const subscription = new Subscription(scope.sink, kind, name, target);
    const layer = this.#freeLayer(scope, subscription);
    return layer === 0 ? subscription : new Subscription(scope.sink, kind, name, target, layer);
  }

  /** Finds the cluster and queries what it supports; rejects if `required` is not one of its nodes. */
  async connect(scope: LinkScope, required: NodeKey | undefined, signal: AbortSignal): Promise<void> {
    this.#users.add(scope);
    this.connections.reopen();
    this.queryConnections.reopen();
    this.probeRunner.reopen();
    await this.topology.connect(this.limits.connectTimeout, signal);
    this.supportsSharded = await supports(this.topology, this.connections, 'SPUBLISH');
    if (required !== undefined) {
      await this.topology.assertKnown([required]);
    }
  }

  /** Closes what a failed {@link connect} of the scope has opened, where no other scope uses it. */
  connectFailed(scope: LinkScope): void {
    if (this.#users.delete(scope) && this.#users.size === 0) {
      void this.#close(this.limits.commandTimeout);
    }
  }

  /**
   * Ends the subscriptions of the scope, and its publishes once these are `drained` (true) or had their time (false).
   * Resolves when Redis has confirmed that, at the latest after `commandTimeout`; for the last user, when all connections
   * are closed.
   */
  async detach(scope: LinkScope, drained: Promise<boolean>): Promise<void> {
    const parts = this.#scopes.get(scope);
    this.#scopes.delete(scope);
    const isLast = this.#users.has(scope) && this.#users.size === 1;
    const unsubscribed = parts?.reconciler.close(!isLast);
    if (isLast) {
      this.#subscribers.close();
    }
    const replyTimeout = (await drained) ? this.limits.commandTimeout : LAST_REPLY_TIMEOUT_MS;
    const ended = Promise.all([unsubscribed, parts?.publisher.close()]);
    if (this.#users.delete(scope) && this.#users.size === 0) {
      await this.#close(replyTimeout);
    } else {
      await settledWithin(replyTimeout, ended);
    }
  }

  /** An error that concerns all who use the cluster. */
  #report(error: ClusterPubSubError): void {
    for (const { listener } of this.#users) {
      listener.error(error);
    }
  }

  async #close(replyTimeout: number): Promise<void> {
    this.topology.pause();
    this.probeRunner.close();
    this.#fence.close();
    this.#subscribers.close();
    this.#factory.close();
    await Promise.all([this.connections.close(replyTimeout), this.queryConnections.close(0)]);
  }

  /** Redis counts each connection once, so scopes that subscribe to the same name need one each. */
  #freeLayer(scope: LinkScope, { kind, key }: Subscription): number {
    const own = scope.registry.layerOf(kind.name, key);
    if (own !== undefined) {
      return own; // it replaces one that is on its way out
    }
    const taken = new Set<number | undefined>();
    for (const { registry } of this.#scopes.keys()) {
      taken.add(registry.layerOf(kind.name, key));
    }
    let layer = 0;
    while (taken.has(layer)) {
      layer += 1;
    }
    return layer;
  }

  /** An ACL may allow channels with a prefix only. */
  get #prefix(): string {
    const prefixes = [...this.#scopes.keys()].map(({ prefix }) => prefix);
    return prefixes.find((prefix) => prefix !== '') ?? '';
  }
}
