import type { Cluster } from 'ioredis';
import type { EventEmitter } from 'node:events';
import { EventNotifier } from './event-notifier.js';
import type { ClusterPubSubEvents } from '../common/events.js';
import { ConnectionFactory } from '../connection/connection-factory.js';
import type { PubSubHealth, PubSubHealthOptions } from '../health/health-types.js';
import type { TakeSnapshot } from '../health/engine-snapshot.js';
import { HealthCheck } from '../health/health-check.js';
import { ProbeRunner } from '../health/probe-runner.js';
import { IncomingPipeline } from '../delivery/incoming-pipeline.js';
import { Introspection } from '../introspection/introspection.js';
import { Lifecycle } from './lifecycle.js';
import { readBoolean, readObject } from '../common/validation.js';
import { readLimits, readOverflowPolicy } from '../common/options.js';
import { MessageDispatcher } from '../delivery/message-dispatcher.js';
import { newMetrics, type PubSubMetrics } from '../common/metrics.js';
import { readNodeReference, type NodeKey } from '../common/node-address.js';
import { CommandConnectionPool } from '../connection/command-connection-pool.js';
import { ClusterQuery } from '../introspection/cluster-query.js';
import { SlotlessNodes } from '../topology/slotless-nodes.js';
import type { ClusterConnectionOptions, PubSubOptions } from '../common/options.js';
import type { PubSubEncoding } from '../common/messages.js';
import { ConnectQueue } from './connect-queue.js';
import type { PublishCommand } from '../common/publish-options.js';
import { Publisher } from '../publish/publisher.js';
import { Reconciler } from '../reconciler/reconciler.js';
import { isCluster, readStartupNodes } from '../connection/startup-nodes.js';
import { PREFIX_CODEC, type StampCodec } from '../ordering/sequence-stamp.js';
import { SubscriptionRegistry } from '../subscription/subscription-registry.js';
import { SubscribeService } from './subscribe-service.js';
import { Topology } from '../topology/topology.js';

/**
 * What the transport sets, and users do not.
 *
 * @internal
 */
export interface EngineInternals {
  /** How numbered messages carry their stamp. */
  readonly stamps?: StampCodec;
  /** Put before the names of channels that the engine uses itself. */
  readonly prefix?: string;
}

/**
 * How long one node may take to accept a connection, in ms, where `redisOptions.connectTimeout` does not say: a node
 * that hangs must not keep what could go to its successor.
 */
const ATTEMPT_TIMEOUT = 2_000;

/** The parts behind one {@link ClusterPubSub}, and which of them knows which. */
export class Engine<E extends PubSubEncoding> {
  /** The node at which channels and patterns are subscribed, if one was chosen. */
  readonly node: NodeKey | undefined;
  readonly lifecycle: Lifecycle;
  readonly topology: Topology;
  readonly connectQueue: ConnectQueue;
  readonly dispatcher: MessageDispatcher<E>;
  readonly subscriptions: SubscribeService<E>;
  readonly introspection: Introspection<E>;
  /** Whether the cluster knows sharded pub/sub; true until it was asked. */
  supportsSharded = true;
  readonly #metrics = newMetrics();
  readonly #announcer: EventNotifier;
  readonly #factory: ConnectionFactory;
  readonly #connections: CommandConnectionPool;
  readonly #publisher: Publisher;
  readonly #table = new SubscriptionRegistry();
  readonly #incoming: IncomingPipeline;
  readonly #reconciler: Reconciler;
  readonly #health: HealthCheck;

  /** @throws {@link InvalidArgumentError} when an option cannot work */
  constructor(
    emitter: EventEmitter<ClusterPubSubEvents>,
    source: Cluster | ClusterConnectionOptions,
    options: PubSubOptions<E>,
    { stamps = PREFIX_CODEC, prefix = '' }: EngineInternals,
  ) {
    readObject('ClusterPubSub: connection options (or an ioredis Cluster)', source);
    readObject('ClusterPubSub: options', options);
    const metrics = this.#metrics;
    const connection: ClusterConnectionOptions = isCluster(source) ? { cluster: source } : source;
    const limits = readLimits({ ...connection, bufferLimit: options.bufferLimit });
    const onOverflow = readOverflowPolicy(connection.onOverflow);
    const seeds = readStartupNodes(connection);
    const { sequence: numbered = false } = options;
    readBoolean('sequence', numbered);
    const { bufferLimit, commandTimeout, connectTimeout } = limits;
    const announcer = new EventNotifier(emitter, metrics);
    const factory = new ConnectionFactory(
      seeds.clusterOptions,
      seeds.credentials,
      Math.min(connectTimeout, seeds.clusterOptions.redisOptions?.connectTimeout ?? ATTEMPT_TIMEOUT),
    );
    const connections = new CommandConnectionPool(factory, commandTimeout);
    const topology = new Topology(connections, seeds);
    const withoutSlots = new SlotlessNodes(topology, connections, seeds.clusterOptions.natMap);
    const questions = new ClusterQuery(topology, connections, withoutSlots);
    const sharded = (): boolean => this.supportsSharded;

    this.node = options.node === undefined ? undefined : readNodeReference(options.node);
    this.#announcer = announcer;
    this.#factory = factory;
    this.#connections = connections;
    this.topology = topology;
    this.lifecycle = new Lifecycle({
      find: async (signal) => {
        await topology.connect(connectTimeout, signal);
        this.supportsSharded = await questions.supports('SPUBLISH');
        if (this.node !== undefined) {
          await topology.assertKnown([this.node]);
        }
      },
      notFound: () => {
        // A server that is no cluster has answered on a connection; one who gave up must not be kept alive by it.
        connections.retain(new Set());
      },
      changed: (status) => {
        announcer.emit('status', status);
      },
    });
    topology.onChange((moved) => {
      if (this.lifecycle.status !== 'connecting' && moved.slots > 0) {
        metrics.moves += 1;
        announcer.emit('moved', moved);
      }
    });

    this.#publisher = new Publisher(
      topology,
      connections,
      { ...limits, onOverflow },
      { codec: stamps, byDefault: numbered },
      metrics,
      (command, channel, error) => {
        announcer.publishFailed(command, channel, error);
      },
    );
    this.connectQueue = new ConnectQueue(this.#publisher, this.lifecycle, announcer, metrics);

    this.dispatcher = new MessageDispatcher({ ...options, bufferLimit }, metrics, announcer);
    this.#incoming = new IncomingPipeline(this.#table, stamps, topology, metrics, this.dispatcher, announcer);
    const probes = {
      topology,
      metrics,
      limits,
      prefix,
      sharded,
      publish: (command: PublishCommand, channel: string) =>
        new Promise<number>((published, failed) => {
          this.#publisher.publish(command, channel, '', { published, failed }, { sequence: false }, true);
        }),
    };
    this.#reconciler = new Reconciler(
      this.#table,
      topology,
      factory,
      { ...limits, numbered },
      probes,
      metrics,
      this.#incoming,
      {
        interrupted: (interruption) => {
          announcer.emit('interrupted', interruption);
        },
        gap: (gap) => {
          announcer.gap(gap);
        },
        error: (error) => {
          announcer.error(error);
        },
        broken: () => {
          this.lifecycle.settled(false);
        },
        whole: (by) => {
          if (by === 'recovery') {
            metrics.reconnects += 1;
          }
          this.lifecycle.settled(true);
        },
      },
    );
    this.subscriptions = new SubscribeService({
      table: this.#table,
      reconciler: this.#reconciler,
      mailbox: this.dispatcher,
      topology,
      lifecycle: this.lifecycle,
      node: this.node,
      sharded,
    });

    const connect = (): Promise<void> => this.lifecycle.connect();
    this.introspection = new Introspection(questions, options.encoding, connect);
    this.#health = new HealthCheck({
      topology,
      connections,
      slotlessNodes: withoutSlots,
      probes: new ProbeRunner(this.#reconciler.nodeSubscribers, factory, commandTimeout, probes, topology),
      connect,
      sharded,
    });
  }

  metrics(): PubSubMetrics {
    const all = this.#table.all;
    return {
      ...this.#metrics,
      dropped: this.dispatcher.dropped,
      waiting: this.#publisher.waiting,
      desired: all.length,
      confirmed: all.filter(({ state }) => state.activeNodes.size > 0).length,
    };
  }

  /**
   * @param others what the other engines of the same application know
   * @param prefix what the channels are told without
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
    this.topology.close();
    this.#reconciler.close();
    this.#incoming.close();
    this.#publisher.close();
    for (const subscription of this.#table.named) {
      this.#table.delete(subscription);
    }
    this.dispatcher.close();
    this.#factory.close();
    await this.#connections.close();
    await this.lifecycle.connecting?.catch(() => undefined);
  }

  readonly snapshot: TakeSnapshot = () => ({
    status: this.lifecycle.status,
    subscriptions: this.#table.all,
    nodeSubscribers: this.#reconciler.nodeSubscribers,
    lastGap: this.#announcer.lastGap,
    unread: this.dispatcher.unread,
    waitingForSubscribers: this.#publisher.waitingForSubscribers,
    waitingForNodes: (node) => this.#publisher.waitingForNodes(node),
  });
}
