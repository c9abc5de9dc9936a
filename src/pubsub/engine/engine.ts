import type { Cluster } from 'ioredis';
import type { EventEmitter } from 'node:events';
import type { ClusterPubSubEvents } from '../common/events.js';
import type { PubSubEncoding } from '../common/messages.js';
import { channelKey, slotOf, type ChannelName } from '../common/channel-name.js';
import { newMetrics, type PubSubMetrics } from '../common/metrics.js';
import { readNodeReference, type NodeKey } from '../common/node-address.js';
import {
  readLimits,
  readOverflowPolicy,
  type ClusterConnectionOptions,
  type PubSubOptions,
} from '../common/options.js';
import { settledWithin } from '../../util/promises.js';
import { readBoolean, readObject } from '../common/validation.js';
import { IncomingPipeline } from '../delivery/incoming-pipeline.js';
import { MessageDispatcher } from '../delivery/message-dispatcher.js';
import type { TakeSnapshot } from '../health/engine-snapshot.js';
import { HealthCheck } from '../health/health-check.js';
import type { PubSubHealth, PubSubHealthOptions } from '../health/health-types.js';
import { Introspection } from '../introspection/introspection.js';
import { PREFIX_CODEC, type StampCodec } from '../ordering/sequence-stamp.js';
import { isCluster } from '../connection/startup-nodes.js';
import { SubscriptionRegistry } from '../subscription/subscription-registry.js';
import type { Topology } from '../topology/topology.js';
import { attach, type Attachment } from './shared-links.js';
import type { LinkScope } from './cluster-link.js';
import { ConnectQueue } from './connect-queue.js';
import { EventNotifier } from './event-notifier.js';
import { Lifecycle } from './lifecycle.js';
import { SubscribeService } from './subscribe-service.js';

/**
 * Settings of the transport that are not part of the public options.
 *
 * @internal
 */
export interface EngineInternals {
  /** How numbered messages carry their stamp. */
  readonly stamps?: StampCodec;
  /** Starts the names of channels that the engine uses itself. */
  readonly prefix?: string;
}

/**
 * The scope of one {@link ClusterPubSub}: subscriptions, delivery, limits, metrics, lifecycle and events, wired to the
 * link of the process to the cluster.
 */
export class Engine<E extends PubSubEncoding> {
  /** The node chosen for channels and patterns, if any. */
  readonly node: NodeKey | undefined;
  readonly lifecycle: Lifecycle;
  readonly connectQueue: ConnectQueue;
  readonly dispatcher: MessageDispatcher<E>;
  readonly subscriptions: SubscribeService<E>;
  readonly introspection: Introspection<E>;
  readonly #metrics = newMetrics();
  readonly #registry = new SubscriptionRegistry();
  readonly #notifier: EventNotifier;
  readonly #attachment: Attachment;
  readonly #pipeline: IncomingPipeline;
  readonly #health: HealthCheck;
  readonly #closed = new AbortController();
  readonly #gracePeriod: number;

  /** @throws {@link InvalidArgumentError} when an option cannot work */
  constructor(
    emitter: EventEmitter<ClusterPubSubEvents>,
    source: Cluster | ClusterConnectionOptions,
    options: PubSubOptions<E>,
    { stamps: codec = PREFIX_CODEC, prefix = '' }: EngineInternals,
  ) {
    readObject('ClusterPubSub: connection options (or an ioredis Cluster)', source);
    readObject('ClusterPubSub: options', options);
    const connection: ClusterConnectionOptions = isCluster(source) ? { cluster: source } : source;
    const limits = readLimits({ ...connection, bufferLimit: options.bufferLimit });
    this.#gracePeriod = limits.shutdownGracePeriod;
    const onOverflow = readOverflowPolicy(connection.onOverflow);
    readBoolean('shared', connection.shared ?? true);
    const { sequence = false } = options;
    readBoolean('sequence', sequence);
    this.node = options.node === undefined ? undefined : readNodeReference(options.node);

    const metrics = this.#metrics;
    const registry = this.#registry;
    const notifier = new EventNotifier(emitter, metrics);
    this.#notifier = notifier;
    this.dispatcher = new MessageDispatcher(
      { ...options, bufferLimit: limits.bufferLimit },
      metrics,
      notifier,
    );
    this.#pipeline = new IncomingPipeline(registry, codec, metrics, this.dispatcher, notifier, (ms) =>
      this.topology.changedWithin(ms),
    );
    const scope: LinkScope = {
      registry,
      sink: this.#pipeline,
      limits,
      onOverflow,
      stamps: { codec, byDefault: sequence },
      prefix,
      listener: {
        interrupted: (interruption) => notifier.emit('interrupted', interruption),
        gap: (gap) => notifier.gap(gap),
        error: (error) => notifier.error(error),
        broken: () => this.lifecycle.settled(false),
        whole: (by) => {
          metrics.reconnects += by === 'recovery' ? 1 : 0;
          this.lifecycle.settled(true);
        },
      },
      publishFailed: (command, channel, error) => notifier.publishFailed(command, channel, error),
    };
    this.#attachment = attach(connection, limits, scope);
    const { link, reconciler, publisher } = this.#attachment;
    const { topology } = link;
    const sharded = (): boolean => link.supportsSharded;

    this.lifecycle = new Lifecycle({
      find: (signal) => link.connect(scope, this.node, signal),
      notFound: () => link.connectFailed(scope),
      changed: (status) => notifier.emit('status', status),
    });
    topology.onChange((moved) => {
      if (this.lifecycle.open && moved.slots > 0) {
        metrics.moves += 1;
        notifier.emit('moved', moved);
      }
    }, this.#closed.signal);

    this.connectQueue = new ConnectQueue(publisher, this.lifecycle, notifier, metrics);
    this.subscriptions = new SubscribeService({
      registry,
      reconciler,
      dispatcher: this.dispatcher,
      topology,
      lifecycle: this.lifecycle,
      node: this.node,
      sharded,
      create: (kind, name, target) => link.newSubscription(scope, kind, name, target),
    });
    const connect = (): Promise<void> => this.lifecycle.connect();
    this.introspection = new Introspection(link.query, options.encoding, connect);
    this.#health = new HealthCheck({
      topology,
      connections: link.queryConnections,
      slotlessNodes: link.slotlessNodes,
      probes: link.probeRunner,
      connect,
      sharded,
    });
  }

  get topology(): Topology {
    return this.#attachment.link.topology;
  }

  /** Whether the cluster supports sharded pub/sub; true until it was queried. */
  get supportsSharded(): boolean {
    return this.#attachment.link.supportsSharded;
  }

  /** See {@link ClusterPubSub.failureOf}. */
  failureOf(channel: ChannelName): unknown {
    const { link, reconciler } = this.#attachment;
    const key = channelKey(channel);
    const subscription = this.#registry.get('shard', key) ?? this.#registry.get('channel', key);
    if (subscription !== undefined && subscription.state.activeNodes.size === 0) {
      return reconciler.failureOf(subscription);
    }
    const owner = this.topology.ownerOf(slotOf(channel));
    return owner === undefined ? this.topology.lastQuery.failure : link.connections.failureOf(owner);
  }

  metrics(): PubSubMetrics {
    const { all } = this.#registry;
    return {
      ...this.#metrics,
      dropped: this.dispatcher.dropped,
      waiting: this.#attachment.publisher.waiting,
      desired: all.length,
      confirmed: all.filter(({ state }) => state.activeNodes.size > 0).length,
    };
  }

  /**
   * @param others the other engines of the same application
   * @param prefix removed from the channels in the report
   */
  health(
    options: PubSubHealthOptions,
    others: readonly TakeSnapshot[],
    prefix: string,
  ): Promise<PubSubHealth> {
    return this.#health.check(options, [this.snapshot, ...others], prefix);
  }

  /**
   * Ends the subscriptions at once, and accepts nothing more.
   *
   * @param grace the time, in ms, that messages accepted before get to be taken by Redis
   */
  async close(grace = this.#gracePeriod): Promise<void> {
    this.lifecycle.close();
    this.#health.close();
    this.#closed.abort();
    const detached = this.#attachment.detach(this.#drain(grace));
    this.#pipeline.close();
    for (const subscription of this.#registry.named) {
      this.#registry.delete(subscription);
    }
    this.dispatcher.close();
    await detached;
    await this.lifecycle.connecting?.catch(() => undefined);
  }

  /** Resolves to whether every message was taken by Redis, or has failed, in time. */
  async #drain(grace: number): Promise<boolean> {
    if (grace > 0 && !this.connectQueue.isIdle) {
      await settledWithin(grace, this.connectQueue.drained());
    }
    this.lifecycle.abort();
    return this.connectQueue.isIdle;
  }

  readonly snapshot: TakeSnapshot = () => ({
    status: this.lifecycle.status,
    subscriptions: this.#registry.all,
    carriers: this.#attachment.carriers,
    lastGap: this.#notifier.lastGap,
    unread: this.dispatcher.unread,
    publishedTo: () => this.#attachment.publisher.publishedTo(),
    waitingForSubscribers: this.#attachment.publisher.waitingForSubscribers,
    waitingForNodes: (node) => this.#attachment.publisher.waitingForNodes(node),
  });
}
