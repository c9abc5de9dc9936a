import type { Cluster } from 'ioredis';
import { EventEmitter } from 'node:events';
import { channelKey, slotOf } from './channel-key.js';
import { ConnectionFactory } from './connection-factory.js';
import type { DiagnosticChannel } from './diagnostic-channel.js';
import { ENGINE_DIAGNOSTICS } from './diagnostics.js';
import type { ClusterPubSubError } from './errors.js';
import { ClosedError, InvalidArgumentError, ShardedUnsupportedError } from './errors.js';
import type { EngineFacts } from './health/engine-facts.js';
import type { PubSubHealth, PubSubHealthOptions } from './health/health.js';
import { HealthCheck } from './health/health-check.js';
import { ProbePaths } from './health/probe-paths.js';
import {
  answer,
  assertNodes,
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
import { Mailbox, type GetMessageOptions, type GetShardedMessageOptions } from './mailbox.js';
import type { Gap, Loss, Moved, PubSubMessage, PubSubStatus, SubscriptionKindName } from './message.js';
import { newMetrics, type PubSubMetrics } from './metrics.js';
import { readNodeReference, type NodeKey } from './node-address.js';
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
  partOptions,
  readSubscribeArguments,
  type NamesArgument,
  type SubscribeArgument,
  type SubscribeOptions,
} from './subscribe-arguments.js';
import { Subscription, SubscriptionTable, type Place } from './subscription.js';
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
  readonly #node: NodeKey | undefined;
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
  readonly #health: HealthCheck;
  readonly #abort = new AbortController();
  #connecting: Promise<void> | undefined;
  #closed = false;
  #closing: Promise<void> | undefined;
  #supportsSharded = true;
  #status: PubSubStatus = 'idle';
  /** How many publishes wait for the first connection. */
  #held = 0;
  #lastGap: Gap | undefined;

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
    this.#node = options.node === undefined ? undefined : readNodeReference(options.node);
    const { ignoreSubscribeMessages = false, bufferPolicy } = options;
    const { bufferLimit } = limits;
    this.#mailbox = new Mailbox(
      { ...options, encoding: options.encoding, ignoreSubscribeMessages, bufferLimit, bufferPolicy },
      {
        undecodable: () => {
          this.#metrics.undecodable += 1;
        },
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
      (command, channel, error) => {
        this.#publishFailed(command, channel, error);
      },
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
    this.#health = new HealthCheck({
      topology: this.#topology,
      connections: this.#connections,
      paths: new ProbePaths(
        this.#reconciler.sessions,
        factory,
        limits.commandTimeout,
        probes,
        this.#topology,
      ),
      connect: () => this.connect(),
      sharded: () => this.#supportsSharded,
    });
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
   * Subscribing anew replaces the handler. Options may follow, for channels that stand at a node of your choice, or at
   * every master: `subscribe('__keyevent@0__:expired', { nodes: 'all-masters' })`.
   *
   * @throws `SubscriptionError` when Redis refuses one (ACL), `ClusterUnreachableError` when it is not confirmed in time,
   * `UnknownNodeError`, `InvalidArgumentError` when one stands elsewhere already
   */
  subscribe(...channels: (SubscribeArgument<E> | SubscribeOptions)[]): Promise<void> {
    return this.#subscribe(KINDS.channel, channels);
  }

  /** As {@link subscribe}, for glob patterns (`*`, `?`, `[…]`, `\`). Patterns match classic channels only. */
  psubscribe(...patterns: (SubscribeArgument<E> | SubscribeOptions)[]): Promise<void> {
    return this.#subscribe(KINDS.pattern, patterns);
  }

  /** As {@link subscribe}, for shard channels (Redis 7.0). They stand where their slots are, and nowhere else. */
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

  /**
   * As {@link getMessage}, of shard channels alone, or of those whose slot `node` owns. What others wait for stays.
   *
   * @throws `UnknownNodeError`
   */
  async getShardedMessage({
    node,
    ...options
  }: GetShardedMessageOptions = {}): Promise<PubSubMessage<E> | null> {
    if (this.closed) {
      throw new ClosedError();
    }
    const owner = node === undefined ? undefined : readNodeReference(node);
    if (owner !== undefined) {
      await this.connect();
      await assertNodes(this.#topology, [owner]);
    }
    return this.#mailbox.readOf(
      ({ type, channel }) => isSharded(type) && (owner === undefined || this.nodeOf(channel) === owner),
      options,
    );
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

  /** The node (`host:port`) at which channels and patterns are subscribed, if the option of that name was given. */
  get node(): string | undefined {
    return this.#node;
  }

  /**
   * How the cluster and this engine are doing, and why it is not well. Resolves within `timeout` and never rejects: what
   * does not answer is named, and so is what cannot be asked. Answers are shared for `cacheFor`.
   *
   * @example
   * ```ts
   * const { status, reasons, numsub } = await pubsub.health({ channels: ['orders'], minSubscribers: 1 });
   * ```
   */
  health(options?: PubSubHealthOptions): Promise<PubSubHealth> {
    return this.healthWith([], options);
  }

  /**
   * As {@link health}, with the subscriptions, gaps and queues of other engines of the same application.
   *
   * @internal
   */
  healthWith(
    others: readonly (ClusterPubSub | ClusterPubSub<'buffer'>)[],
    options: PubSubHealthOptions = {},
  ): Promise<PubSubHealth> {
    return this.#health.check(options, [this.#facts, ...others.map((other) => other.#facts)]);
  }

  /**
   * The master (`host:port`) that owns the channel's slot, as far as is known now; of a pattern, the one where all
   * patterns are subscribed.
   */
  nodeOf(name: ChannelName, kind: SubscriptionKindName = 'channel'): string | undefined {
    return this.#topology.homeOf(KINDS[kind], slotOf(name));
  }

  /**
   * The classic channels that have subscribers by name, on all nodes of the cluster, replicas too; with a glob
   * pattern, those that match. Here as in the questions below, `{ aggregate: false }` gives each node's own answer, and
   * `{ nodes }` asks some of the nodes.
   *
   * @throws `CommandRefusedError` when the ACL forbids PUBSUB, `ClusterUnreachableError` when a master, or a node that was
   * named, does not answer, `UnknownNodeError`
   */
  async pubsubChannels<A extends boolean = true>(
    pattern?: ChannelName,
    options?: IntrospectionOptions<A>,
  ): Promise<Answer<A, string[]>> {
    await this.connect();
    return answer(await this.#introspection.channels('CHANNELS', pattern, options?.nodes), union, options);
  }

  async pubsubShardChannels<A extends boolean = true>(
    pattern?: ChannelName,
    options?: IntrospectionOptions<A>,
  ): Promise<Answer<A, string[]>> {
    await this.connect();
    const answers = await this.#introspection.channels('SHARDCHANNELS', pattern, options?.nodes);
    return answer(answers, union, options);
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
    return answer(await this.#introspection.numpat(options?.nodes), sum, options);
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
      if (this.#node !== undefined) {
        await assertNodes(this.#topology, [this.#node]);
      }
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
    this.#health.close();
    this.#topology.close();
    this.#reconciler.close();
    this.#incoming.close();
    this.#publisher.close();
    for (const subscription of this.#table.named) {
      this.#table.delete(subscription);
    }
    this.#mailbox.close();
    this.#factory.close();
    await this.#connections.close();
    await this.#connecting?.catch(() => undefined);
  }

  async #subscribe(
    kind: SubscriptionKind,
    args: readonly (SubscribeArgument<E> | SubscribeOptions)[],
  ): Promise<void> {
    const isShard = kind.name === 'shard';
    const { names, place = (isShard ? undefined : this.#node) ?? 'home' } = partOptions(args);
    const requests = readSubscribeArguments(names);
    if (isShard && place !== 'home') {
      throw new InvalidArgumentError(
        'Shard channels stand where their slots are: no nodes can be chosen for them.',
      );
    }
    await this.connect();
    if (place !== 'home' && place !== 'all-masters' && !this.#topology.knows(place)) {
      await assertNodes(this.#topology, [place]); // only where it has to: calls take effect in their order
    }
    if (this.closed) {
      throw new ClosedError();
    }
    if (isShard && !this.#supportsSharded) {
      throw new ShardedUnsupportedError();
    }
    for (const { name } of requests) {
      assertPlace(this.#table.get(kind.name, channelKey(name)), place);
    }
    const wanted = requests.map(({ name, handler }) => {
      let subscription = this.#table.get(kind.name, channelKey(name));
      if (subscription === undefined) {
        subscription = new Subscription(kind, name, place);
        this.#table.add(subscription);
      }
      subscription.handleWith(handler);
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

  #publishFailed(command: PublishCommand, channel: ChannelName, error: unknown): void {
    this.#metrics.publishErrors += 1;
    if (ENGINE_DIAGNOSTICS.publishFailed.hasSubscribers) {
      ENGINE_DIAGNOSTICS.publishFailed.publish({ pubsub: this, command, channel, error });
    }
  }

  readonly #facts = (): EngineFacts => ({
    status: this.#status,
    subscriptions: this.#table.all,
    sessions: this.#reconciler.sessions,
    lastGap: this.#lastGap,
    unread: this.#mailbox.unread,
    waitingForSubscribers: this.#publisher.waitingForSubscribers,
    waitingForNodes: (node) => this.#publisher.waitingForNodes(node),
  });

  #tellGap(gap: Gap): void {
    this.#metrics.gaps += 1;
    this.#lastGap = gap;
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
      this.#publishFailed(message[0], message[1], error);
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
    const answers = await this.#introspection.numsub(command, channels, options?.nodes);
    return answer(answers, sumByChannel, options);
  }

  #names(kind: SubscriptionKindName): ReadonlySet<ChannelName> {
    return new Set(this.#table.of(kind).map(({ name }) => name));
  }

  #setStatus(status: PubSubStatus): void {
    if (this.#status !== status && this.#status !== 'closed') {
      if (this.#status === 'reconnecting' && status === 'connected') {
        this.#metrics.reconnects += 1;
      }
      this.#status = status;
      this.#tell('status', status);
    }
  }

  #emitError(error: ClusterPubSubError): void {
    if (this.listenerCount('error') > 0) {
      this.#tell('error', error);
    } else {
      this.#tellDiagnostics('error', error);
    }
  }

  /** Tells listeners. One that throws is an uncaught exception; it neither ends a connection nor stops us halfway. */
  #tell<K extends keyof ClusterPubSubEvents>(event: K, subject: ClusterPubSubEvents[K][0]): void {
    this.#tellDiagnostics(event, subject);
    try {
      (this as EventEmitter).emit(event, subject);
    } catch (error) {
      queueMicrotask(() => {
        throw error;
      });
    }
  }

  #tellDiagnostics<K extends keyof ClusterPubSubEvents>(event: K, subject: ClusterPubSubEvents[K][0]): void {
    const channel: DiagnosticChannel<never> = ENGINE_DIAGNOSTICS[event];
    if (channel.hasSubscribers) {
      channel.publish({ pubsub: this, [event]: subject } as never);
    }
  }
}

/** A name stands in one place: messages do not say for which of several subscriptions they come. */
function assertPlace(standing: Subscription | undefined, place: Place): void {
  if (standing !== undefined && standing.place !== place) {
    const where = standing.place === 'home' ? 'where it belongs' : `at ${standing.place}`;
    throw new InvalidArgumentError(
      `"${standing.text}" is subscribed already, ${where}. Unsubscribe it before you subscribe it elsewhere.`,
    );
  }
}

function isSharded(type: PubSubMessage['type']): boolean {
  const { message, subscribed, unsubscribed } = KINDS.shard;
  return type === message || type === subscribed || type === unsubscribed;
}
