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
 * @typeParam E - follows from the option `encoding`, and is not to be written by hand: `new ClusterPubSub<'buffer'>(source)`
 * would say bytes and give strings.
 *
 * @publicApi
 */
export class ClusterPubSub<E extends PubSubEncoding = 'utf8'> extends EventEmitter<ClusterPubSubEvents> {
  readonly #engine: Engine<E>;
  #closing: Promise<void> | undefined;

  /**
   * @param source an ioredis `Cluster` of yours (read, never closed), or where the cluster is
   * @param wiring not for users
   * @throws {@link InvalidArgumentError} when an option cannot work
   */
  constructor(
    source: Cluster | ClusterConnectionOptions,
    options: PubSubOptions<E> = {},
    wiring: EngineInternals = {},
  ) {
    super();
    this.#engine = new Engine(this, source, options, wiring);
  }

  /**
   * Finds the cluster. Called by every other method when needed; call it to learn early that something is wrong.
   * Calls that meet share one attempt; after a failure the next call tries again.
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

  /** Whether the cluster knows sharded pub/sub (Redis 7.0 or newer); true until {@link connect} has found out. */
  get supportsSharded(): boolean {
    return this.#engine.supportsSharded;
  }

  /**
   * Subscribes to channels: names, lists of names, or names with handlers. Resolves when Redis has confirmed all.
   * Subscribing anew replaces the handler. Options may follow, for channels that stand at a node of your choice, or at
   * every master: `subscribe('__keyevent@0__:expired', { nodes: 'all-masters' })`.
   *
   * @throws `SubscriptionError` when Redis refuses one (ACL), `ClusterUnreachableError` when it is not confirmed in time,
   * `UnknownNodeError`, `InvalidArgumentError` when one stands elsewhere already
   */
  subscribe(...channels: SubscribeArguments<E>): Promise<void> {
    return this.#engine.subscriptions.add(SUBSCRIPTION_KINDS.channel, channels);
  }

  /** As {@link subscribe}, for glob patterns (`*`, `?`, `[…]`, `\`). Patterns match classic channels only. */
  psubscribe(...patterns: SubscribeArguments<E>): Promise<void> {
    return this.#engine.subscriptions.add(SUBSCRIPTION_KINDS.pattern, patterns);
  }

  /** As {@link subscribe}, for shard channels (Redis 7.0). They stand where their slots are, and nowhere else. */
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
   * What arrives for subscriptions without a handler, one by one. Ends when nothing is subscribed any more, and on
   * {@link close}.
   */
  listen(): AsyncGenerator<PubSubMessage<E>, void, undefined> {
    return this.#engine.dispatcher.iterate(() => this.subscribed);
  }

  /** The next message for a subscription without a handler, or null when none comes within `timeout`. */
  async getMessage(options: GetMessageOptions = {}): Promise<PubSubMessage<E> | null> {
    this.#engine.lifecycle.assertNotClosed();
    return this.#engine.dispatcher.read(options);
  }

  /**
   * As {@link getMessage}, of shard channels alone, or of those whose slot `node` owns. What others wait for stays.
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

  /** The channels that are subscribed, as they were named. */
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

  /** How many messages without a handler were dropped because `bufferLimit` of them waited already. */
  get dropped(): number {
    return this.#engine.dispatcher.dropped;
  }

  /** What was counted since this object was made, and what is the case now. */
  metrics(): PubSubMetrics {
    return this.#engine.metrics();
  }

  /** The node (`host:port`) at which channels and patterns are subscribed, if the option of that name was given. */
  get node(): string | undefined {
    return this.#engine.node;
  }

  /**
   * How the cluster and this engine are doing, and why it is not well. Resolves within `timeout` and never rejects: what
   * does not answer is named, and so is what cannot be asked. Answers are shared for `cacheTtl`.
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
   * As {@link health}, with the subscriptions, gaps and queues of other engines of the same application; watched channels
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
   * The master (`host:port`) that owns the channel's slot, as far as is known now; of a pattern, the one where all
   * patterns are subscribed.
   */
  nodeOf(name: ChannelName, kind: SubscriptionKindName = 'channel'): string | undefined {
    readEnum('kind', kind, KIND_NAMES);
    return this.#engine.topology.targetOf(SUBSCRIPTION_KINDS[kind], slotOf(checkName(name)));
  }

  /**
   * The classic channels that have subscribers by name, on all nodes of the cluster, replicas and masters without slots
   * too; with a glob pattern, those that match. Strings, or `Buffer`s with `encoding: 'buffer'`. Here as in the questions
   * below, `{ aggregate: false }` gives each node's own answer, and `{ nodes }` asks some of the nodes.
   *
   * @throws `CommandRefusedError` when the ACL forbids PUBSUB, `ClusterUnreachableError` when a master, or a node that was
   * named, does not answer, `UnknownNodeError`
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
   * How many clients are subscribed to each channel by name, summed over all nodes. Patterns are not counted. The names
   * are those that were given: a `Buffer` is found by itself.
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

  /** How many patterns are subscribed, summed over all nodes. */
  pubsubNumpat<A extends boolean = true>(options?: IntrospectionOptions<A>): Promise<Answer<A, number>> {
    return this.#engine.introspection.numpat(options);
  }

  /** Ends every subscription and forgets what waits to be read; the object can be used again. */
  async reset(): Promise<void> {
    await Promise.all([this.unsubscribe(), this.punsubscribe(), this.sunsubscribe()]);
    this.#engine.dispatcher.clear();
  }

  /** Ends everything: subscriptions, waiting readers, messages not sent yet, connections. May be called again. */
  close(): Promise<void> {
    this.#closing ??= this.#engine.close();
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
    return new Promise((published, failed) => {
      this.publishWithObserver(command, channel, data, { published, failed }, options);
    });
  }
}
