import type { Cluster } from 'ioredis';
import { EventEmitter } from 'node:events';
import { channelKey, slotOf } from './channel-key.js';
import { ConnectionFactory } from './connection-factory.js';
import type { ClusterPubSubError } from './errors.js';
import { ClosedError, InvalidArgumentError, ShardedUnsupportedError } from './errors.js';
import {
  answer,
  Introspection,
  readNumsubArguments,
  sum,
  sumByChannel,
  union,
  type Answer,
  type IntrospectionOptions,
} from './introspection.js';
import { Incoming } from './incoming.js';
import { readLimits, readOverflowPolicy } from './limits.js';
import { Mailbox, type GetMessageOptions } from './mailbox.js';
import type { Gap, Loss, Moved, PubSubMessage, PubSubStatus, SubscriptionKindName } from './message.js';
import { newMetrics, type PubSubMetrics } from './metrics.js';
import { NodeConnections } from './node-connections.js';
import type {
  ChannelName,
  ClusterConnectionOptions,
  Payload,
  PubSubEncoding,
  PubSubOptions,
} from './options.js';
import type { PublishCommand, PublishObserver, PublishOptions } from './publication.js';
import { Publisher } from './publisher.js';
import { Reconciler } from './reconciler.js';
import { isCluster, readSeeds } from './seeds.js';
import { PREFIX_CODEC, type OutgoingPayload, type StampCodec } from './stamp.js';
import {
  checkName,
  flattenNames,
  readSubscribeArguments,
  type NamesArgument,
  type SubscribeArgument,
} from './subscribe-arguments.js';
import { Subscription, SubscriptionTable } from './subscription.js';
import { KINDS, type SubscriptionKind } from './subscription-kind.js';
import { Topology } from './topology.js';

/** What a {@link ClusterPubSub} emits. Without an `error` listener errors are not thrown: they are told by what failed. */
export interface ClusterPubSubEvents {
  /** Subscriptions stand again that did not for a while: what was published meanwhile may be missing. */
  gap: [gap: Gap];
  /** Subscriptions that stood now stand nowhere; a `gap` follows when they are back. */
  lost: [loss: Loss];
  /** Slots have another master than before. */
  moved: [moved: Moved];
  status: [status: PubSubStatus];
  error: [error: ClusterPubSubError];
}

/**
 * What the transport sets, and users do not.
 *
 * @internal
 */
export interface EngineWiring {
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

/**
 * Publish/subscribe on a Redis Cluster.
 *
 * Every channel is subscribed and published at the master that owns its slot, so that the count of {@link publish} is
 * exact and order per channel holds. Subscriptions are kept: after a lost connection, a failover or a moved slot they
 * are made anew at the right node, and the hole is reported as a `gap`. Connects on first use.
 *
 * @example
 * ```ts
 * await using pubsub = new ClusterPubSub({ nodes: [{ host: '127.0.0.1', port: 7000 }] });
 * await pubsub.subscribe({ news: ({ data }) => console.log(data) });
 * await pubsub.publish('news', 'hello'); // → 1
 * ```
 *
 * @publicApi
 */
export class ClusterPubSub<E extends PubSubEncoding = 'utf8'> extends EventEmitter<ClusterPubSubEvents> {
  readonly #connectTimeout: number;
  readonly #table = new SubscriptionTable();
  readonly #mailbox: Mailbox<E>;
  readonly #metrics = newMetrics();
  readonly #incoming: Incoming;
  readonly #factory: ConnectionFactory;
  readonly #connections: NodeConnections;
  readonly #topology: Topology;
  readonly #publisher: Publisher;
  readonly #reconciler: Reconciler;
  readonly #introspection: Introspection;
  readonly #abort = new AbortController();
  #connecting: Promise<void> | undefined;
  #closed = false;
  #closing: Promise<void> | undefined;
  #supportsSharded = true;
  #status: PubSubStatus = 'idle';
  /** How many publishes wait for the first connection. */
  #held = 0;

  /**
   * @param source an ioredis `Cluster` of yours (read, never closed), or where the cluster is
   * @param wiring not for users
   * @throws {@link InvalidArgumentError} when an option cannot work
   */
  constructor(
    source: Cluster | ClusterConnectionOptions,
    options: PubSubOptions<E> = {},
    { stamps = PREFIX_CODEC, prefix = '' }: EngineWiring = {},
  ) {
    super();
    const connection: ClusterConnectionOptions = isCluster(source) ? { cluster: source } : source;
    const limits = readLimits({ ...connection, bufferLimit: options.bufferLimit });
    const onOverflow = readOverflowPolicy(connection.onOverflow);
    const seeds = readSeeds(connection);
    const factory = new ConnectionFactory(
      seeds.clusterOptions,
      seeds.credentials,
      Math.min(limits.connectTimeout, seeds.clusterOptions.redisOptions?.connectTimeout ?? ATTEMPT_TIMEOUT),
    );
    this.#factory = factory;
    this.#connectTimeout = limits.connectTimeout;
    const { encoding, ignoreSubscribeMessages = false, bufferPolicy } = options;
    const { bufferLimit } = limits;
    this.#mailbox = new Mailbox(
      { encoding, ignoreSubscribeMessages, bufferLimit, bufferPolicy },
      {
        gap: (gap) => {
          this.#tellGap(gap);
        },
        error: (error) => {
          this.#emitError(error);
        },
      },
    );
    this.#connections = new NodeConnections(factory, limits.commandTimeout);
    this.#topology = new Topology(this.#connections, seeds);
    this.#publisher = new Publisher(
      this.#topology,
      this.#connections,
      { ...limits, onOverflow },
      { codec: stamps, byDefault: options.sequence ?? false },
      this.#metrics,
    );
    this.#introspection = new Introspection(this.#topology, this.#connections);
    this.#incoming = new Incoming(stamps, this.#topology, this.#metrics, {
      deliver: (subscription, { channel, data, node }) => {
        this.#mailbox.deliver(subscription, channel, data, node);
      },
      gap: (gap) => {
        this.#tellGap(gap);
      },
    });
    const probes = {
      topology: this.#topology,
      metrics: this.#metrics,
      limits,
      prefix,
      sharded: () => this.#supportsSharded,
      publish: (command: PublishCommand, channel: string) =>
        new Promise<number>((published, failed) => {
          this.#publisher.publish(command, channel, '', { published, failed }, { sequence: false });
        }),
    };
    const numbered = options.sequence ?? false;
    this.#reconciler = new Reconciler(
      this.#table,
      this.#topology,
      factory,
      { ...limits, numbered },
      probes,
      this.#metrics,
      {
        message: (subscription, arrival) => {
          this.#incoming.take(subscription, arrival);
        },
        recent: (subscription, node) => this.#incoming.recent(subscription, node),
        lost: (loss) => {
          this.#tell('lost', loss);
        },
        gap: (gap) => {
          this.#tellGap(gap);
        },
        error: (error) => {
          this.#emitError(error);
        },
        settled: (whole) => {
          this.#setStatus(whole ? 'connected' : 'reconnecting');
        },
      },
    );
    this.#topology.onChange((moved) => {
      if (this.#status !== 'connecting' && moved.slots > 0) {
        this.#metrics.moves += 1;
        this.#tell('moved', moved);
      }
    });
  }

  /**
   * Finds the cluster. Called by every other method when needed; call it to learn early that something is wrong.
   * Calls that meet share one attempt; after a failure the next call tries again.
   *
   * @throws `ClusterUnreachableError`, `NotAClusterError`, `AuthenticationError`, `ClosedError`
   */
  connect(): Promise<void> {
    if (this.#closed) {
      return Promise.reject(new ClosedError());
    }
    this.#connecting ??= this.#connect().catch((error: unknown) => {
      this.#connecting = undefined;
      throw error;
    });
    return this.#connecting;
  }

  get status(): PubSubStatus {
    return this.#status;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Whether the cluster knows sharded pub/sub (Redis 7.0 or newer); true until {@link connect} has found out. */
  get supportsSharded(): boolean {
    return this.#supportsSharded;
  }

  /**
   * Subscribes to channels: names, lists of names, or names with handlers. Resolves when Redis has confirmed all.
   * Subscribing anew replaces the handler.
   *
   * @throws `SubscriptionError` when Redis refuses one (ACL), `ClusterUnreachableError` when it is not confirmed in time
   */
  subscribe(...channels: SubscribeArgument<E>[]): Promise<void> {
    return this.#subscribe(KINDS.channel, channels);
  }

  /** As {@link subscribe}, for glob patterns (`*`, `?`, `[…]`, `\`). Patterns match classic channels only. */
  psubscribe(...patterns: SubscribeArgument<E>[]): Promise<void> {
    return this.#subscribe(KINDS.pattern, patterns);
  }

  /** As {@link subscribe}, for shard channels (Redis 7.0). */
  ssubscribe(...channels: SubscribeArgument<E>[]): Promise<void> {
    return this.#subscribe(KINDS.shard, channels);
  }

  /** Ends subscriptions to channels; without names, all of them. Resolves when Redis has confirmed. */
  async unsubscribe(...channels: NamesArgument[]): Promise<void> {
    return this.#unsubscribe(KINDS.channel, flattenNames(channels));
  }

  async punsubscribe(...patterns: NamesArgument[]): Promise<void> {
    return this.#unsubscribe(KINDS.pattern, flattenNames(patterns));
  }

  async sunsubscribe(...channels: NamesArgument[]): Promise<void> {
    return this.#unsubscribe(KINDS.shard, flattenNames(channels));
  }

  /**
   * Publishes to a classic channel. Resolves to the number of clients subscribed to it by name through cluster-aware
   * clients (such as this one), exactly. Subscribers by pattern get the message, but are not in the count, as with
   * PUBSUB NUMSUB, unless their node is the one asked: see {@link PublishOptions.via}.
   *
   * @throws `PublishError` with the outcome, `QueueFullError`, `ClusterUnreachableError`, `ClosedError`
   */
  publish(channel: ChannelName, data: Payload, options?: PublishOptions): Promise<number> {
    return this.#publish('PUBLISH', channel, data, options);
  }

  /** Publishes to a shard channel (Redis 7.0). Resolves to the number of its subscribers at the slot's master. */
  spublish(
    channel: ChannelName,
    data: Payload,
    options?: Pick<PublishOptions, 'verifyZero'>,
  ): Promise<number> {
    return this.#publish('SPUBLISH', channel, data, options);
  }

  /**
   * As {@link publish} and {@link spublish}, for the transport: nothing is checked, and no promise made.
   *
   * @internal
   */
  post(
    command: PublishCommand,
    channel: ChannelName,
    data: OutgoingPayload,
    observer: PublishObserver,
    options?: PublishOptions,
  ): void {
    this.#metrics.published += 1;
    // One that is called as soon as we are connected goes after those that waited for it.
    if (this.#status === 'idle' || this.#status === 'connecting' || this.closed || this.#held > 0) {
      void this.#postWhenConnected(command, channel, data, observer, options);
    } else {
      this.#publisher.publish(command, channel, data, observer, options);
    }
  }

  /**
   * What arrives for subscriptions without a handler, one by one. Ends when nothing is subscribed any more, and on
   * {@link close}.
   */
  listen(): AsyncGenerator<PubSubMessage<E>, void, undefined> {
    return this.#mailbox.iterate(() => this.subscribed);
  }

  /** The next message for a subscription without a handler, or null when none comes within `timeout`. */
  async getMessage(options: GetMessageOptions = {}): Promise<PubSubMessage<E> | null> {
    if (this.closed) {
      throw new ClosedError();
    }
    return this.#mailbox.read(options);
  }

  /** The channels that are subscribed, as they were named. */
  get channels(): ReadonlySet<ChannelName> {
    return this.#names('channel');
  }

  get patterns(): ReadonlySet<ChannelName> {
    return this.#names('pattern');
  }

  get shardChannels(): ReadonlySet<ChannelName> {
    return this.#names('shard');
  }

  /** Whether anything is subscribed. */
  get subscribed(): boolean {
    return this.#table.size > 0;
  }

  /** How many messages without a handler were dropped because `bufferLimit` of them waited already. */
  get dropped(): number {
    return this.#mailbox.dropped;
  }

  /** What was counted since this object was made, and what is the case now. */
  metrics(): PubSubMetrics {
    const all = this.#table.all;
    return {
      ...this.#metrics,
      dropped: this.dropped,
      waiting: this.#publisher.waiting,
      desired: all.length,
      confirmed: all.filter(({ standing }) => standing.size > 0).length,
    };
  }

  /** The master (`host:port`) that owns the channel's slot, as far as is known now. */
  nodeOf(channel: ChannelName): string | undefined {
    return this.#topology.ownerOf(slotOf(channel));
  }

  /**
   * The classic channels that have subscribers by name, on all nodes of the cluster, replicas too; with a glob
   * pattern, those that match. Here as in the questions below, `{ aggregate: false }` gives each node's own answer.
   *
   * @throws `CommandRefusedError` when the ACL forbids PUBSUB, `ClusterUnreachableError` when a master does not answer
   */
  async pubsubChannels<A extends boolean = true>(
    pattern?: ChannelName,
    options?: IntrospectionOptions<A>,
  ): Promise<Answer<A, string[]>> {
    await this.connect();
    return answer(await this.#introspection.channels('CHANNELS', pattern), union, options);
  }

  async pubsubShardChannels<A extends boolean = true>(
    pattern?: ChannelName,
    options?: IntrospectionOptions<A>,
  ): Promise<Answer<A, string[]>> {
    await this.connect();
    return answer(await this.#introspection.channels('SHARDCHANNELS', pattern), union, options);
  }

  /** How many clients are subscribed to each channel by name, summed over all nodes. Patterns are not counted. */
  pubsubNumsub(...channels: ChannelName[]): Promise<Map<string, number>>;
  pubsubNumsub<A extends boolean>(
    ...args: [...channels: ChannelName[], options: IntrospectionOptions<A>]
  ): Promise<Answer<A, Map<string, number>>>;
  pubsubNumsub(
    ...args: (ChannelName | IntrospectionOptions)[]
  ): Promise<Answer<boolean, Map<string, number>>> {
    return this.#numsub('NUMSUB', args);
  }

  pubsubShardNumsub(...channels: ChannelName[]): Promise<Map<string, number>>;
  pubsubShardNumsub<A extends boolean>(
    ...args: [...channels: ChannelName[], options: IntrospectionOptions<A>]
  ): Promise<Answer<A, Map<string, number>>>;
  pubsubShardNumsub(
    ...args: (ChannelName | IntrospectionOptions)[]
  ): Promise<Answer<boolean, Map<string, number>>> {
    return this.#numsub('SHARDNUMSUB', args);
  }

  /** How many patterns are subscribed, summed over all nodes. */
  async pubsubNumpat<A extends boolean = true>(
    options?: IntrospectionOptions<A>,
  ): Promise<Answer<A, number>> {
    await this.connect();
    return answer(await this.#introspection.numpat(), sum, options);
  }

  /** Ends every subscription and forgets what waits to be read; the object can be used again. */
  async reset(): Promise<void> {
    await Promise.all([this.unsubscribe(), this.punsubscribe(), this.sunsubscribe()]);
    this.#mailbox.clear();
  }

  /** Ends everything: subscriptions, waiting readers, messages not sent yet, connections. May be called again. */
  close(): Promise<void> {
    this.#closed = true; // before anything is told of it: who publishes then is refused
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #connect(): Promise<void> {
    this.#setStatus('connecting');
    try {
      await this.#topology.connect(this.#connectTimeout, this.#abort.signal);
      this.#supportsSharded = await this.#introspection.supports('SPUBLISH');
    } catch (error) {
      if (this.closed) {
        throw new ClosedError(undefined, { cause: error });
      }
      // A server that is no cluster has answered on a connection; one who gave up must not be kept alive by it.
      this.#connections.keepOnly(new Set());
      this.#setStatus('idle');
      throw error;
    }
    this.#setStatus('connected');
  }

  async #close(): Promise<void> {
    this.#setStatus('closed');
    this.#abort.abort();
    this.#topology.close();
    this.#reconciler.close();
    this.#incoming.close();
    this.#publisher.close();
    for (const subscription of this.#table.all) {
      this.#table.delete(subscription);
    }
    this.#mailbox.close();
    this.#factory.close();
    await this.#connections.close();
    await this.#connecting?.catch(() => undefined);
  }

  async #subscribe(kind: SubscriptionKind, args: readonly SubscribeArgument<E>[]): Promise<void> {
    const requests = readSubscribeArguments(args);
    await this.connect();
    if (this.closed) {
      throw new ClosedError();
    }
    if (kind.name === 'shard' && !this.#supportsSharded) {
      throw new ShardedUnsupportedError();
    }
    const wanted = requests.map(({ name, handler }) => {
      let subscription = this.#table.get(kind.name, channelKey(name));
      if (subscription === undefined) {
        subscription = new Subscription(kind, name);
        this.#table.add(subscription);
      }
      subscription.handler = handler;
      return subscription;
    });
    // All are awaited even when one fails: the rest stand, and no rejection is left unhandled.
    const results = await Promise.allSettled(
      wanted.map((subscription) =>
        this.#reconciler.want(subscription, () => {
          this.#mailbox.confirm(kind.subscribed, subscription.name, this.#table.confirm(subscription));
        }),
      ),
    );
    this.#endIterations();
    const failed = results.find((result) => result.status === 'rejected');
    if (failed !== undefined) {
      throw failed.reason;
    }
  }

  async #unsubscribe(kind: SubscriptionKind, names: readonly ChannelName[]): Promise<void> {
    if (this.closed) {
      throw new ClosedError();
    }
    try {
      await this.#connecting; // behind the subscriptions that wait for it: calls take effect in their order
    } catch {
      // Nothing stands then; what was wanted before is still to be forgotten.
    }
    const known = this.#table.of(kind.name);
    const leaving = names.length === 0 ? known.map(({ name }) => name) : names;
    await Promise.all(
      leaving.map(async (name) => {
        const subscription = this.#table.get(kind.name, channelKey(name));
        if (subscription !== undefined) {
          this.#table.leave(subscription);
        }
        const count = this.#table.count(kind.name);
        if (subscription !== undefined) {
          await this.#reconciler.release(subscription);
          this.#table.gone(subscription);
        }
        this.#mailbox.confirm(kind.unsubscribed, name, count);
      }),
    );
    this.#endIterations();
  }

  #tellGap(gap: Gap): void {
    this.#metrics.gaps += 1;
    this.#tell('gap', gap);
  }

  /** Lets `listen()` end when there is nothing more to come. */
  #endIterations(): void {
    if (!this.subscribed) {
      this.#mailbox.wakeIterations();
    }
  }

  async #publish(
    command: PublishCommand,
    channel: ChannelName,
    data: Payload,
    options?: PublishOptions,
  ): Promise<number> {
    checkName(channel);
    if (typeof data !== 'string' && !(data instanceof Uint8Array)) {
      throw new InvalidArgumentError(
        'What is published is a string, a Buffer or a Uint8Array. Use JSON.stringify().',
      );
    }
    return new Promise((published, failed) => {
      this.post(command, channel, data, { published, failed }, options);
    });
  }

  async #postWhenConnected(...message: Parameters<Publisher['publish']>): Promise<void> {
    this.#held += 1;
    try {
      await this.connect();
    } catch (error) {
      message[3].failed(error);
      return;
    } finally {
      this.#held -= 1;
    }
    this.#publisher.publish(...message);
  }

  async #numsub(
    command: 'NUMSUB' | 'SHARDNUMSUB',
    args: readonly (ChannelName | IntrospectionOptions)[],
  ): Promise<Answer<boolean, Map<string, number>>> {
    const { channels, options } = readNumsubArguments(args);
    await this.connect();
    return answer(await this.#introspection.numsub(command, channels), sumByChannel, options);
  }

  #names(kind: SubscriptionKindName): ReadonlySet<ChannelName> {
    return new Set(this.#table.of(kind).map(({ name }) => name));
  }

  #setStatus(status: PubSubStatus): void {
    if (this.#status !== status && this.#status !== 'closed') {
      this.#status = status;
      this.#tell('status', status);
    }
  }

  #emitError(error: ClusterPubSubError): void {
    if (this.listenerCount('error') > 0) {
      this.#tell('error', error);
    }
  }

  /** Tells listeners. One that throws is an uncaught exception; it neither ends a connection nor stops us halfway. */
  #tell<K extends keyof ClusterPubSubEvents>(event: K, ...args: ClusterPubSubEvents[K]): void {
    try {
      (this as EventEmitter).emit(event, ...args);
    } catch (error) {
      queueMicrotask(() => {
        throw error;
      });
    }
  }
}
