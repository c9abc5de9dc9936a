import type { Cluster, ClusterNode, ClusterOptions } from 'ioredis';
import type { DataMessage, PubSubEncoding, PubSubMessage } from './messages.js';
import type { NodeReference } from './node-address.js';
import { MAX_TIMER_MS, readEnum, readNumber } from './validation.js';

/**
 * The cluster and how to connect to it.
 *
 * @publicApi
 */
export interface ClusterConnectionOptions {
  /** Startup nodes, as in ioredis. One reachable node is enough; the rest of the cluster is discovered. */
  nodes?: ClusterNode[] | undefined;
  /**
   * Your own ioredis `Cluster`, instead of `nodes`. Its startup nodes and options are read; its connections are neither
   * used nor closed.
   */
  cluster?: Cluster | undefined;
  /**
   * Passed to ioredis for every connection: `redisOptions` (TLS, username, password, `connectTimeout`,
   * `connectionName`, …), `natMap`, `dnsLookup`, `useSRVRecords` and `resolveSrv`, `slotsRefreshInterval`
   * (by default the slots are queried every 5–10 s, and every second where a change would give no sign).
   */
  clusterOptions?: ClusterOptions | undefined;
  /** Time limit for connecting to the cluster, and for the confirmation of a subscription, in ms. Default 10,000. */
  connectTimeout?: number | undefined;
  /** Time limit for a reply to a command, in ms; after it the connection counts as lost. Default 2,000. */
  commandTimeout?: number | undefined;
  /** Maximum number of messages that wait for one node, in flight or before it is connected. Default 10,000. */
  maxQueuedMessages?: number | undefined;
  /**
   * Which message to reject when the queue for an unreachable node is full (`maxQueuedMessages`): the new one (`reject`,
   * default) or the oldest (`drop-oldest`). It fails with `QueueFullError`.
   */
  onOverflow?: OverflowPolicy | undefined;
  /**
   * Time without traffic on a subscriber connection, in ms, after which a probe message is published through the node to
   * check that it still delivers. 0: never. Default 1,000.
   */
  probeInterval?: number | undefined;
  /** Time limit for a probe to return, in ms; after it the connection counts as lost. Default 1,000. */
  probeTimeout?: number | undefined;
  /**
   * Time limit, in ms, for which the messages of a channel wait after its slot has moved. They are sent, in order, once
   * as many subscribers are there as before, or when the time is over. A subscription that follows in time reports no
   * gap. 0: messages do not wait, and every move is reported as a gap. Default 500.
   */
  slotMigrationTimeout?: number | undefined;
  /**
   * Time that `close()` gives to what was accepted before it, in ms: messages and requests to be taken by Redis, running
   * handlers of a server to finish and reply. What has not ended by then fails with an error. 0: it fails at once.
   * Default 5,000.
   */
  shutdownGracePeriod?: number | undefined;
  /**
   * Whether to share connections and the knowledge of the topology with the other servers, clients and `ClusterPubSub`s of
   * this process that have the same startup nodes and connection options. Each keeps its own subscriptions, limits,
   * metrics, events and `close()`. `false`: connections of its own. Default true.
   */
  shared?: boolean | undefined;
}

export type BufferPolicy = 'drop-oldest' | 'drop-newest';

export type OverflowPolicy = 'reject' | 'drop-oldest';

/**
 * Options of a {@link ClusterPubSub} for receiving and numbering messages.
 *
 * @publicApi
 */
export interface PubSubOptions<E extends PubSubEncoding = PubSubEncoding> {
  /** Omit confirmations (`subscribe`, `unsubscribe`, …) from `listen()` and `getMessage()`. Default false. */
  ignoreSubscribeMessages?: boolean | undefined;
  /** `utf8` (default) returns strings; `buffer` returns channel, pattern and data as `Buffer`s, byte for byte. */
  encoding?: E | undefined;
  /**
   * Maximum number of messages without a handler, and confirmations, that wait for `listen()` or `getMessage()`. Above
   * it one is dropped; dropped messages are counted in `dropped` and reported by a `gap` with reason `buffer-overflow`.
   * Default 10,000.
   */
  bufferLimit?: number | undefined;
  /** Which message to drop when the buffer is full: the oldest (`drop-oldest`, default) or the new one. */
  bufferPolicy?: BufferPolicy | undefined;
  /**
   * Number published messages, so that receiving `ClusterPubSub`s drop duplicates and report missing messages, and
   * messages in flight can be sent again when a node fails. Adds about 20 bytes per message, which other programs see;
   * receivers need no option. Default false.
   */
  sequence?: boolean | undefined;
  /**
   * How to treat a message whose channel or data is not UTF-8 when `encoding` is `utf8`: `replace` (default) delivers it
   * with U+FFFD in place of the invalid bytes; `strict` drops it, counts it in `metrics().undecodable`, and emits an
   * `EncodingError`.
   */
  encodingErrors?: EncodingErrors | undefined;
  /**
   * Called with the error of a message handler and the message, instead of an `error` event. Later messages are
   * delivered in any case. An error of this function itself is emitted as `error`.
   */
  onHandlerError?: ((error: unknown, message: DataMessage<E>) => unknown) | undefined;
  /**
   * Called with every confirmation, and with every message whose subscription has no handler of its own; `listen()` and
   * `getMessage()` then receive nothing. `node` (`host:port`) delivered the message; it is undefined for confirmations,
   * which may come from several nodes.
   */
  pushHandler?: ((message: PubSubMessage<E>, node: string | undefined) => unknown) | undefined;
  /**
   * The node, master or replica, on which channels and patterns are subscribed instead of on their owner. It receives
   * every classic message over the cluster bus, but the counts of `publish` do not include its subscribers, and no other
   * node replaces it while it is unreachable (`interrupted`) or after it has left the cluster (also an `error`,
   * `UnknownNodeError`). Shard channels and publishes are routed as usual. Default: none.
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
  shutdownGracePeriod: 5_000,
};

/** The options that 0 turns off. */
const MAY_BE_ZERO: readonly string[] = ['probeInterval', 'slotMigrationTimeout', 'shutdownGracePeriod'];

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
