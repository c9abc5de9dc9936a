import type { Cluster } from 'ioredis';
import type { EventEmitter } from 'node:events';
import type { ClusterPubSubEvents } from '../common/events.js';
import type { PubSubEncoding } from '../common/messages.js';
import { newMetrics, type PubSubMetrics } from '../common/metrics.js';
import { readNodeReference, type NodeKey } from '../common/node-address.js';
import type { ClusterConnectionOptions, PubSubOptions } from '../common/options.js';
import { readBoolean, readObject } from '../common/validation.js';
import { IncomingPipeline } from '../delivery/incoming-pipeline.js';
import { MessageDispatcher } from '../delivery/message-dispatcher.js';
import type { TakeSnapshot } from '../health/engine-snapshot.js';
import { HealthCheck } from '../health/health-check.js';
import type { PubSubHealth, PubSubHealthOptions } from '../health/health-types.js';
import { Introspection } from '../introspection/introspection.js';
import { PREFIX_CODEC, type StampCodec } from '../ordering/sequence-stamp.js';
import type { Publisher } from '../publish/publisher.js';
import type { Reconciler } from '../reconciler/reconciler.js';
import { SubscriptionRegistry } from '../subscription/subscription-registry.js';
import type { Topology } from '../topology/topology.js';
import { ClusterLink } from './cluster-link.js';
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
 * The scope of one {@link ClusterPubSub}: subscriptions, delivery, limits, metrics, lifecycle and events, wired to a
 * link to the cluster.
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
  readonly #link: ClusterLink;
  readonly #pipeline: IncomingPipeline;
  readonly #reconciler: Reconciler;
  readonly #publisher: Publisher;
  readonly #health: HealthCheck;

  /** @throws {@link InvalidArgumentError} when an option cannot work */
  constructor(
    emitter: EventEmitter<ClusterPubSubEvents>,
    source: Cluster | ClusterConnectionOptions,
    options: PubSubOptions<E>,
    { stamps: codec = PREFIX_CODEC, prefix = '' }: EngineInternals,
  ) {
    readObject('ClusterPubSub: connection options (or an ioredis Cluster)', source);
    readObject('ClusterPubSub: options', options);
    const { sequence = false, bufferLimit } = options;
    readBoolean('sequence', sequence);
    this.node = options.node === undefined ? undefined : readNodeReference(options.node);

    const metrics = this.#metrics;
    const registry = this.#registry;
    const notifier = new EventNotifier(emitter, metrics);
    const link = new ClusterLink(source, bufferLimit, prefix);
    const { topology, limits } = link;
    const sharded = (): boolean => link.supportsSharded;
    this.#notifier = notifier;
    this.#link = link;

    this.lifecycle = new Lifecycle({
      find: (signal) => link.connect(this.node, signal),
      notFound: () => link.dropConnections(),
      changed: (status) => notifier.emit('status', status),
    });
    topology.onChange((moved) => {
      if (this.lifecycle.status !== 'connecting' && moved.slots > 0) {
        metrics.moves += 1;
        notifier.emit('moved', moved);
      }
    });

    this.dispatcher = new MessageDispatcher(
      { ...options, bufferLimit: limits.bufferLimit },
      metrics,
      notifier,
    );
    this.#pipeline = new IncomingPipeline(registry, codec, topology, metrics, this.dispatcher, notifier);
    const { reconciler, publisher, probeRunner } = link.attach({
      registry,
      sink: this.#pipeline,
      metrics,
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
    });
    this.#reconciler = reconciler;
    this.#publisher = publisher;

    this.connectQueue = new ConnectQueue(publisher, this.lifecycle, notifier, metrics);
    this.subscriptions = new SubscribeService({
      registry,
      reconciler,
      dispatcher: this.dispatcher,
      topology,
      lifecycle: this.lifecycle,
      node: this.node,
      sharded,
    });
    const connect = (): Promise<void> => this.lifecycle.connect();
    this.introspection = new Introspection(link.query, options.encoding, connect);
    this.#health = new HealthCheck({
      topology,
      connections: link.connections,
      slotlessNodes: link.slotlessNodes,
      probes: probeRunner,
      connect,
      sharded,
    });
  }

  get topology(): Topology {
    return this.#link.topology;
  }

  /** Whether the cluster supports sharded pub/sub; true until it was queried. */
  get supportsSharded(): boolean {
    return this.#link.supportsSharded;
  }

  metrics(): PubSubMetrics {
    const { all } = this.#registry;
    return {
      ...this.#metrics,
      dropped: this.dispatcher.dropped,
      waiting: this.#publisher.waiting,
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

  async close(): Promise<void> {
    this.lifecycle.close();
    this.#health.close();
    const disconnected = this.#link.close();
    this.#pipeline.close();
    for (const subscription of this.#registry.named) {
      this.#registry.delete(subscription);
    }
    this.dispatcher.close();
    await disconnected;
    await this.lifecycle.connecting?.catch(() => undefined);
  }

  readonly snapshot: TakeSnapshot = () => ({
    status: this.lifecycle.status,
    subscriptions: this.#registry.all,
    nodeSubscribers: this.#reconciler.nodeSubscribers,
    lastGap: this.#notifier.lastGap,
    unread: this.dispatcher.unread,
    waitingForSubscribers: this.#publisher.waitingForSubscribers,
    waitingForNodes: (node) => this.#publisher.waitingForNodes(node),
  });
}
