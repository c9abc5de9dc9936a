import type { Cluster, ClusterNode, ClusterOptions } from 'ioredis';
import type { DataMessage, PubSubEncoding, PubSubMessage } from './messages.js';
import type { NodeReference } from './node-address.js';
import { MAX_TIMER_MS, readEnum, readNumber } from './validation.js';

/**
 * Where the cluster is and how to reach it.
 *
 * @publicApi
 */
export interface ClusterConnectionOptions {
  /** Startup nodes, as ioredis takes them. One that answers is enough; the rest of the cluster is discovered. */
  nodes?: ClusterNode[] | undefined;
  /**
   * An ioredis `Cluster` of yours, instead of `nodes`. Its startup nodes and options are read; its connections are
   * neither used nor closed by us.
   */
  cluster?: Cluster | undefined;
  /**
   * Handed to ioredis for every connection: `redisOptions` (TLS, username, password, `connectTimeout`, …), `natMap`,
   * `dnsLookup`, `useSRVRecords` and `resolveSrv`, `slotsRefreshInterval`.
   */
  clusterOptions?: ClusterOptions | undefined;
  /** How long to try to reach the cluster, or to get a subscription confirmed, in ms. Default 10,000. */
  connectTimeout?: number | undefined;
  /** How long Redis may take to answer a command before its connection counts as dead, in ms. Default 2,000. */
  commandTimeout?: number | undefined;
  /** How many messages may wait for one node, in flight or before it is connected. Default 10,000. */
  maxQueuedMessages?: number | undefined;
  /**
   * What gives way when `maxQueuedMessages` wait for a node that cannot be reached: the new message (`reject`, default),
   * or the one that has waited longest (`drop-oldest`). Either fails with `QueueFullError`.
   */
  onOverflow?: OverflowPolicy | undefined;
  /**
   * How long a connection that carries subscriptions may be silent, in ms, before a message to ourselves is published
   * through the node to prove that it still delivers; any traffic counts as proof. 0: never. Default 1,000.
   */
  probeInterval?: number | undefined;
  /** How long that message may take to arrive, in ms, before the connection counts as dead. Default 1,000. */
  probeTimeout?: number | undefined;
  /**
   * How long, in ms, after its slot has moved the messages of a channel wait for its subscribers to follow: they go out,
   * in order, when as many are there as before, or when this time is over. A subscription that has followed within it
   * reports no gap. 0: messages do not wait, and every move is reported. Default 500.
   */
  slotMigrationTimeout?: number | undefined;
}

export type BufferPolicy = 'drop-oldest' | 'drop-newest';

export type OverflowPolicy = 'reject' | 'drop-oldest';

/**
 * How a {@link ClusterPubSub} hands out what it receives.
 *
 * @publicApi
 */
export interface PubSubOptions<E extends PubSubEncoding = PubSubEncoding> {
  /** Leave confirmations (`subscribe`, `unsubscribe`, …) out of `listen()` and `getMessage()`. Default false. */
  ignoreSubscribeMessages?: boolean | undefined;
  /** `utf8` (default) gives strings; `buffer` gives `Buffer`s for channel, pattern and data, byte for byte. */
  encoding?: E | undefined;
  /**
   * How many messages without a handler, and confirmations, wait for `listen()` or `getMessage()`. When full, one is
   * dropped; messages are counted in `dropped`, and reported by a `gap` with reason `buffer-overflow` that says how many.
   * Default 10,000.
   */
  bufferLimit?: number | undefined;
  /** Which one that is: the one that has waited longest (`drop-oldest`, default), or the new one. */
  bufferPolicy?: BufferPolicy | undefined;
  /**
   * Number what is published, so that other `ClusterPubSub`s drop second copies and report what is missing, and messages
   * in flight when a node dies can be sent again. Costs some 20 bytes a message, and other programs see them; receivers
   * need no option. Default false.
   */
  sequence?: boolean | undefined;
  /**
   * What becomes of a message whose channel or data is not UTF-8, where `encoding` is `utf8`: `replace` (default) hands
   * it out with U+FFFD in place of the bytes; `strict` drops it, counts it in `metrics().undecodable`, and emits an
   * `EncodingError`.
   */
  encodingErrors?: EncodingErrors | undefined;
  /**
   * Called with what a message handler threw, or its promise was rejected with, and with the message, instead of an
   * `error` event. Messages after it go on in any case. What it throws itself is emitted as `error`.
   */
  onHandlerError?: ((error: unknown, message: DataMessage<E>) => unknown) | undefined;
  /**
   * Called with every confirmation, and with every message whose subscription has no handler of its own, as they arrive;
   * `listen()` and `getMessage()` get nothing then. `node` (`host:port`) is where a message came from; confirmations,
   * which may come from several nodes, have none.
   */
  pushHandler?: ((message: PubSubMessage<E>, node: string | undefined) => unknown) | undefined;
  /**
   * The node at which channels and patterns are subscribed, instead of where they belong, be it a master or a replica.
   * The cluster's bus brings it every classic message, but the counts of `publish` leave its subscribers out, and while
   * it is away there is no other: `lost` tells, also, with an `UnknownNodeError`, when it leaves the cluster alive. Shard
   * channels and publishes are routed as always. Default: none.
   */
  node?: NodeReference | undefined;
}

/** See `PubSubOptions.encodingErrors`. */
export type EncodingErrors = 'replace' | 'strict';

const DEFAULT_LIMITS = {
  connectTimeout: 10_000,
  commandTimeout: 2_000,
  maxQueuedMessages: 10_000,
  bufferLimit: 10_000,
  probeInterval: 1_000,
  probeTimeout: 1_000,
  slotMigrationTimeout: 500,
};

/** The options that 0 turns off. */
const MAY_BE_ZERO: readonly string[] = ['probeInterval', 'slotMigrationTimeout'];

/** The numbers of the options, with every default filled in; see {@link ClusterConnectionOptions} for units. */
export type Limits = Readonly<typeof DEFAULT_LIMITS>;

/** @throws {@link InvalidArgumentError} for a number that cannot work */
export function readLimits(given: Partial<Record<keyof Limits, number | undefined>>): Limits {
  const limits = { ...DEFAULT_LIMITS };
  for (const name of Object.keys(DEFAULT_LIMITS) as (keyof Limits)[]) {
    const min = MAY_BE_ZERO.includes(name) ? 0 : 1;
    limits[name] = readNumber(name, given[name] ?? DEFAULT_LIMITS[name], min, MAX_TIMER_MS);
  }
  return limits;
}

export function readOverflowPolicy(given: OverflowPolicy = 'reject'): OverflowPolicy {
  return readEnum('onOverflow', given, ['reject', 'drop-oldest']);
}
