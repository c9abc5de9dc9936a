import type { ClusterPubSubEvents, PubSubStatus } from './common/events.js';
import type { Cluster } from 'ioredis';
import { EventEmitter } from 'node:events';
import { slotOf, type ChannelName, checkName } from './common/channel-name.js';
import { Engine, type EngineInternals } from './engine/engine.js';
import type { PubSubHealth, PubSubHealthOptions } from './health/health-types.js';
import type { TakeSnapshot } from './health/engine-snapshot.js';
import type { Answer, IntrospectionOptions } from './introspection/introspection.js';
import { readEnum, readObject, invalidValue } from './common/validation.js';
import type { GetMessageOptions, GetShardedMessageOptions } from './delivery/message-dispatcher.js';
import type {
  Encoded,
  PubSubMessage,
  SubscriptionKindName,
  Payload,
  PubSubEncoding,
} from './common/messages.js';
import type { PubSubMetrics } from './common/metrics.js';
import { readNodeReference } from './common/node-address.js';
import type { ClusterConnectionOptions, PubSubOptions } from './common/options.js';
import {
  checkPublishOptions,
  type PublishCommand,
  type PublishObserver,
  type PublishOptions,
} from './common/publish-options.js';
import type { OutgoingPayload } from './ordering/sequence-stamp.js';
import {
  type NamesArgument,
  type SubscribeArgument,
  type SubscribeArguments,
} from './subscription/subscribe-arguments.js';
import { isSharded, SUBSCRIPTION_KINDS } from './common/subscription-kind.js';

const KIND_NAMES = Object.keys(SUBSCRIPTION_KINDS);

/**
 * Publish/subscribe on a Redis Cluster.
 *
 * Every channel is subscribed and published at the master that owns its slot, so the count of {@link publish} is exact
 * and messages of a channel stay in order. After a lost connection, a failover or a moved slot, subscriptions are
 * restored on the right node, and what may have been missed is reported as a `gap`. Connects on first use.
 *
 * @example
 * ```ts
 * await using pubsub = new ClusterPubSub({ nodes: [{ host: '127.0.0.1', port: 7000 }] });
 * await pubsub.subscribe({ news: ({ data }) => console.log(data) });
 * await pubsub.publish('news', 'hello'); // → 1
 * ```
 *
 * @typeParam E - inferred from the option `encoding`. Do not write it by hand: `new ClusterPubSub<'buffer'>(source)` would
 * be typed for bytes and return strings.
 *
 * @publicApi
 */
export class ClusterPubSub<E extends PubSubEncoding = 'utf8'> extends EventEmitter<ClusterPubSubEvents> {
  readonly #engine: Engine<E>;
  #closing: Promise<void> | undefined;

  /**
   * @param source the connection options, or an ioredis `Cluster` of yours (read, never closed)
   * @param internals set by the transport only
   * @throws {@link InvalidArgumentError} when an option cannot work
   */
  constructor(
    source: Cluster | ClusterConnectionOptions,
    options: PubSubOptions<E> = {},
    internals: EngineInternals = {},
  ) {
    super();
    this.#engine = new Engine(this, source, options, internals);
  }

  /**
   * Finds the cluster. Other methods call it when needed; call it yourself to detect a problem early. Concurrent calls
   * share one attempt; after a failure the next call tries again.
   *
   * @throws `ClusterUnreachableError`, `NotAClusterError`, `AuthenticationError`, `ClosedError`
   */
  connect(): Promise<void> {
    return this.#engine.lifecycle.connect();
  }

  get status(): PubSubStatus {
    return this.#engine.lifecycle.status;
  }

  get closed(): boolean {
    return this.#engine.lifecycle.closed;
  }

  /** Whether the cluster supports sharded pub/sub (Redis 7.0 or newer); true until {@link connect} has queried it. */
  get supportsSharded(): boolean {
    return this.#engine.supportsSharded;
  }

  /**
   * Subscribes to channels: names, lists of names, or names with handlers. Resolves when Redis has confirmed all.
   * Subscribing again replaces the handler. Options may follow, to subscribe on a node of your choice or on every master:
   * `subscribe('__keyevent@0__:expired', { nodes: 'all-masters' })`.
   *
   * @throws `SubscriptionError` when Redis refuses one (ACL), `ClusterUnreachableError` when it is not confirmed in time,
   * `UnknownNodeError`, `InvalidArgumentError` when one is already subscribed elsewhere
   */
  subscribe(...channels: SubscribeArguments<E>): Promise<void> {
    return this.#engine.subscriptions.add(SUBSCRIPTION_KINDS.channel, channels);
  }

  /** Like {@link subscribe}, for glob patterns (`*`, `?`, `[…]`, `\`). Patterns match classic channels only. */
  psubscribe(...patterns: SubscribeArguments<E>): Promise<void> {
    return this.#engine.subscriptions.add(SUBSCRIPTION_KINDS.pattern, patterns);
  }

  /** Like {@link subscribe}, for shard channels (Redis 7.0). They are bound to their slot's master. */
  ssubscribe(...channels: SubscribeArgument<E>[]): Promise<void> {
    return this.#engine.subscriptions.add(SUBSCRIPTION_KINDS.shard, channels);
  }

  /** Ends subscriptions to channels; without arguments, all of them. Resolves when Redis has confirmed. */
  unsubscribe(...channels: NamesArgument[]): Promise<void> {
    return this.#engine.subscriptions.remove(SUBSCRIPTION_KINDS.channel, channels);
  }

  punsubscribe(...patterns: NamesArgument[]): Promise<void> {
    return this.#engine.subscriptions.remove(SUBSCRIPTION_KINDS.pattern, patterns);
  }

  sunsubscribe(...channels: NamesArgument[]): Promise<void> {
    return this.#engine.subscriptions.remove(SUBSCRIPTION_KINDS.shard, channels);
  }

  /**
   * Publishes to a classic channel. Resolves to the number of clients subscribed to it by name through cluster-aware
   * clients (such as this one), exactly. Pattern subscribers receive the message but are not counted, as with PUBSUB
   * NUMSUB, unless they are subscribed on the node that is published to: see {@link PublishOptions.via}.
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
   * Like {@link publish} and {@link spublish}, for the transport: without checks and without a promise.
   *
   * @internal
   */
  publishWithObserver(
    command: PublishCommand,
    channel: ChannelName,
    data: OutgoingPayload,
    observer: PublishObserver,
    options?: PublishOptions,
  ): void {
    this.#engine.connectQueue.publish(command, channel, data, observer, options);
  }

  /**
   * Iterates over the messages of subscriptions without a handler. Ends when nothing is subscribed any more, and on
   * {@link close}.
   */
  listen(): AsyncGenerator<PubSubMessage<E>, void, undefined> {
    return this.#engine.dispatcher.iterate(() => this.subscribed);
  }

  /** Returns the next message of a subscription without a handler, or null if none arrives within `timeout`. */
  async getMessage(options: GetMessageOptions = {}): Promise<PubSubMessage<E> | null> {
    this.#engine.lifecycle.assertNotClosed();
    return this.#engine.dispatcher.read(options);
  }

  /**
   * Like {@link getMessage}, for shard channels only, or for those whose slot `node` owns. Other messages stay in the buffer.
   *
   * @throws `UnknownNodeError`
   */
  async getShardedMessage(options: GetShardedMessageOptions = {}): Promise<PubSubMessage<E> | null> {
    this.#engine.lifecycle.assertNotClosed();
    const { node, ...terms } = readObject('getShardedMessage(): options', options);
    const owner = node === undefined ? undefined : readNodeReference(node);
    if (owner !== undefined) {
      await this.connect();
      await this.#engine.topology.assertKnown([owner]);
    }
    return this.#engine.dispatcher.readOf(
      (type, channel) => isSharded(type) && (owner === undefined || this.nodeOf(channel) === owner),
      terms,
    );
  }

  /** The subscribed channels, as they were named. */
  get channels(): ReadonlySet<ChannelName> {
    return this.#engine.subscriptions.names('channel');
  }

  get patterns(): ReadonlySet<ChannelName> {
    return this.#engine.subscriptions.names('pattern');
  }

  get shardChannels(): ReadonlySet<ChannelName> {
    return this.#engine.subscriptions.names('shard');
  }

  /** Whether anything is subscribed: from the call of a subscribe method until Redis has confirmed the end. */
  get subscribed(): boolean {
    return this.#engine.subscriptions.any;
  }

  /** How many messages without a handler were dropped because the buffer was full (`bufferLimit`). */
  get dropped(): number {
    return this.#engine.dispatcher.dropped;
  }

  /** Counters since this object was created, and current values. */
  metrics(): PubSubMetrics {
    return this.#engine.metrics();
  }

  /** The node (`host:port`) chosen for channels and patterns by the option `node`, if any. */
  get node(): string | undefined {
    return this.#engine.node;
  }

  /**
   * Checks the cluster and this engine, and lists the reasons why it is not healthy. Resolves within `timeout` and never
   * rejects: nodes that do not reply are named. Results are shared for `cacheTtl`.
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
   * Like {@link health}, with the subscriptions, gaps and queues of other engines of the same application; watched channels
   * are reported without `prefix`.
   *
   * @internal
   */
  healthWith(
    others: readonly Pick<ClusterPubSub, 'snapshot'>[],
    options: PubSubHealthOptions = {},
    prefix = '',
  ): Promise<PubSubHealth> {
    return this.#engine.health(
      options,
      others.map(({ snapshot }) => snapshot as TakeSnapshot),
      prefix,
    );
  }

  /**
   * The {@link TakeSnapshot} of this engine, for {@link healthWith} of another one. `unknown`, because its type would pull
   * the internals into the declarations of the package.
   *
   * @internal
   */
  get snapshot(): () => unknown {
    return this.#engine.snapshot;
  }

  /**
   * Why a subscription to the channel, or a message for it, has to wait, as far as is known: for errors of those whose time
   * is over.
   *
   * @internal
   */
  failureOf(channel: ChannelName): unknown {
    return this.#engine.failureOf(channel);
  }

  /**
   * Returns the master (`host:port`) that owns the channel's slot in the current topology; for a pattern, the one where
   * all patterns are subscribed.
   */
  nodeOf(name: ChannelName, kind: SubscriptionKindName = 'channel'): string | undefined {
    readEnum('kind', kind, KIND_NAMES);
    return this.#engine.topology.targetOf(SUBSCRIPTION_KINDS[kind], slotOf(checkName(name)));
  }

  /**
   * Returns the classic channels that have subscribers by name, on all nodes of the cluster including replicas and slotless
   * masters; with a glob pattern, those that match. Strings, or `Buffer`s with `encoding: 'buffer'`. Here and in the queries
   * below, `{ aggregate: false }` returns the reply of each node, and `{ nodes }` queries some of the nodes.
   *
   * @throws `CommandRefusedError` when the ACL forbids PUBSUB, `ClusterUnreachableError` when a master, or a node that was
   * named, does not reply, `UnknownNodeError`
   */
  pubsubChannels<A extends boolean = true>(
    pattern?: ChannelName,
    options?: IntrospectionOptions<A>,
  ): Promise<Answer<A, Encoded<E>[]>> {
    return this.#engine.introspection.channels('CHANNELS', pattern, options);
  }

  pubsubShardChannels<A extends boolean = true>(
    pattern?: ChannelName,
    options?: IntrospectionOptions<A>,
  ): Promise<Answer<A, Encoded<E>[]>> {
    return this.#engine.introspection.channels('SHARDCHANNELS', pattern, options);
  }

  /**
   * Returns how many clients are subscribed to each channel by name, summed over all nodes. Patterns are not counted. The
   * keys are the given names: look up a `Buffer` by the same object.
   */
  pubsubNumsub(...channels: string[]): Promise<Map<string, number>>;
  pubsubNumsub(...channels: ChannelName[]): Promise<Map<ChannelName, number>>;
  pubsubNumsub<A extends boolean>(
    ...args: [...channels: string[], options: IntrospectionOptions<A>]
  ): Promise<Answer<A, Map<string, number>>>;
  pubsubNumsub<A extends boolean>(
    ...args: [...channels: ChannelName[], options: IntrospectionOptions<A>]
  ): Promise<Answer<A, Map<ChannelName, number>>>;
  pubsubNumsub(
    ...args: (ChannelName | IntrospectionOptions)[]
  ): Promise<Answer<boolean, Map<ChannelName, number>>> {
    return this.#engine.introspection.numsub('NUMSUB', args);
  }

  pubsubShardNumsub(...channels: string[]): Promise<Map<string, number>>;
  pubsubShardNumsub(...channels: ChannelName[]): Promise<Map<ChannelName, number>>;
  pubsubShardNumsub<A extends boolean>(
    ...args: [...channels: string[], options: IntrospectionOptions<A>]
  ): Promise<Answer<A, Map<string, number>>>;
  pubsubShardNumsub<A extends boolean>(
    ...args: [...channels: ChannelName[], options: IntrospectionOptions<A>]
  ): Promise<Answer<A, Map<ChannelName, number>>>;
  pubsubShardNumsub(
    ...args: (ChannelName | IntrospectionOptions)[]
  ): Promise<Answer<boolean, Map<ChannelName, number>>> {
    return this.#engine.introspection.numsub('SHARDNUMSUB', args);
  }

  /** Returns how many patterns are subscribed, summed over all nodes. */
  pubsubNumpat<A extends boolean = true>(options?: IntrospectionOptions<A>): Promise<Answer<A, number>> {
    return this.#engine.introspection.numpat(options);
  }

  /** Ends every subscription and clears the buffer; the object can be used again. */
  async reset(): Promise<void> {
    await Promise.all([this.unsubscribe(), this.punsubscribe(), this.sunsubscribe()]);
    this.#engine.dispatcher.clear();
  }

  /**
   * Closes everything. Subscriptions and waiting readers end at once. Messages that were accepted before are published
   * first, for up to `shutdownGracePeriod`; what is left then fails with `ClosedError`, or with a `PublishError` whose
   * outcome is `unknown` if Redis may have taken it. May be called again.
   */
  close(): Promise<void> {
    return this.closeWithin();
  }

  /**
   * As {@link close}, with another time than `shutdownGracePeriod`.
   *
   * @internal
   */
  closeWithin(grace?: number): Promise<void> {
    this.#closing ??= this.#engine.close(grace);
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #publish(
    command: PublishCommand,
    channel: ChannelName,
    data: Payload,
    options?: PublishOptions,
  ): Promise<number> {
    checkName(channel);
    if (typeof data !== 'string' && !(data instanceof Uint8Array)) {
      throw invalidValue(
        'The published data',
        'a string, a Buffer or a Uint8Array (use JSON.stringify())',
        data,
      );
    }
    if (options !== undefined) {
      checkPublishOptions(options);
    }
    return new Promise((published, failed) =>
      this.publishWithObserver(command, channel, data, { published, failed }, options),
    );
  }
}
