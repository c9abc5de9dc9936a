import type { SubscriptionKindName } from '../common/messages.js';
import type { Gap, PubSubStatus } from '../common/events.js';
import type { ChannelName } from '../common/channel-name.js';

/**
 * - `up`: all that was asked for holds
 * - `degraded`: it works, but not all could be told (a node without slots does not answer, the ACL refuses a question or
 *   the probe)
 * - `down`: messages are lost or refused somewhere, or may be
 *
 * @publicApi
 */
export type PubSubHealthStatus = 'up' | 'degraded' | 'down';

/**
 * What {@link PubSubHealth} is to be judged by.
 *
 * @publicApi
 */
export interface PubSubHealthOptions {
  /**
   * The channels whose subscribers are counted, in `numsub` and `shardNumsub`. Default: those that this engine is
   * subscribed to, the first `maxNames` of them.
   */
  channels?: readonly ChannelName[] | undefined;
  /**
   * Down when a watched channel has fewer subscribers by name than this, degraded where not every node has counted.
   * Classic and sharded subscribers are counted apart, for most clients of this package are both; the greater of the two
   * numbers counts. Default 0.
   */
  minSubscribers?: number | undefined;
  /** Down while the last gap ended less than this long ago, in ms. Default 0: gaps are told, and not judged. */
  maxGapAge?: number | undefined;
  /** Down when Redis has not confirmed a subscription for longer than this, in ms. Default 2,000. */
  confirmationTimeout?: number | undefined;
  /**
   * Publish a message on a private channel of each shard and wait for it on a subscriber connection to its master: down
   * where it does not come back. A master with too few slots for a channel of its own is not judged by it. Default false.
   */
  probe?: boolean | undefined;
  /** How long all of it may take, in ms: what has not answered by then is named. Default 1,000. */
  timeout?: number | undefined;
  /**
   * How long the same answer is given to those who ask the same, in ms; calls that meet share one. The answers to 64
   * different questions are kept. Default 1,000.
   */
  cacheTtl?: number | undefined;
  /** How many names each list holds at most. Default 100. */
  maxNames?: number | undefined;
}

/**
 * How a `ClusterPubSub` and its cluster are doing; see `ClusterPubSub.health()`. Plain data: `JSON.stringify()` loses
 * nothing but the type of the dates. Times are in ms.
 *
 * @publicApi
 */
export interface PubSubHealth {
  readonly status: PubSubHealthStatus;
  /** Why it is not `up`, for people: each names the node or the channel. */
  readonly reasons: readonly string[];
  /** The `code` of the error for which the cluster could not be asked at all: `CLOSED`, `CLUSTER_UNREACHABLE`, … */
  readonly code?: string;
  /** When all this was found out. */
  readonly at: Date;
  /** Of the engine that was asked. */
  readonly engine: PubSubStatus;
  readonly masters: {
    /** How many masters the cluster has. */
    readonly known: number;
    /** To how many of them a connection for subscriptions is open. It is opened for the first subscription there. */
    readonly subscribed: number;
    /** How many have answered. */
    readonly reachable: number;
    readonly nodes: readonly MasterHealth[];
  };
  /** The nodes that own no slot: replicas, masters without slots, and those that the cluster has given up. */
  readonly replicas: { readonly known: number; readonly reachable: number };
  readonly subscriptions: {
    /** How many channels, patterns and shard channels are wanted. */
    readonly desired: number;
    /** Of these, how many Redis has confirmed. */
    readonly confirmed: number;
    /** Those that Redis has not confirmed for longer than `confirmationTimeout`; at most `maxNames`. */
    readonly unconfirmed: readonly UnconfirmedSubscription[];
  };
  readonly lastGap: LastGap | null;
  readonly queues: {
    /** Messages to be published that wait for a node that cannot be reached. */
    readonly waitingForNodes: number;
    /** Messages to be published that wait for their subscribers to follow a slot. */
    readonly waitingForSubscribers: number;
    /** Messages received that wait for `listen()` or `getMessage()`. */
    readonly unread: number;
  };
  /**
   * How many clients are subscribed to each watched channel by name, classic, summed over all nodes, replicas too.
   * Redis does not count subscribers by pattern here. By name as text: bytes of a name that is no UTF-8 are written as
   * `\xff`, so that no two channels share a count.
   */
  readonly numsub: Readonly<Record<string, number>>;
  /** As `numsub`, of shard channels. Empty where the cluster has none (Redis 6). */
  readonly shardNumsub: Readonly<Record<string, number>>;
  /** The classic channels with subscribers by name, whoever they are. */
  readonly activeChannels: ActiveChannels;
  readonly shardChannels: ActiveChannels;
  /** How many different patterns are subscribed at each node, summed: not by how many clients. */
  readonly patterns: number;
  /** Whether every node has answered every question; else the counts are of those that did. */
  readonly complete: boolean;
}

/** @publicApi */
export interface MasterHealth {
  /** `host:port`. */
  readonly node: string;
  readonly reachable: boolean;
  /** Whether a connection for subscriptions is open. */
  readonly subscribed: boolean;
  /** How many subscriptions stand there. */
  readonly subscriptions: number;
  /** How long PING took just now, in ms; null without an answer. */
  readonly roundTrip: number | null;
  /**
   * How long the last heartbeat took, in ms: a message of our own, published through the node and back on the connection
   * for subscriptions. With `probe` it is the one sent just now. null: none has been needed yet, it did not come back, or
   * the master has too few slots for a channel of its own.
   */
  readonly heartbeat: number | null;
  /** Messages to be published that wait for this node. */
  readonly queued: number;
}

/** @publicApi */
export interface UnconfirmedSubscription {
  readonly kind: SubscriptionKindName;
  readonly name: string;
  /** The node (`host:port`) where it belongs; null where no node owns its slot. */
  readonly node: string | null;
  /** Since when, in ms. */
  readonly for: number;
}

/**
 * The gap that ended last; see {@link Gap}.
 *
 * @publicApi
 */
export interface LastGap extends Pick<Gap, 'kind' | 'reason' | 'since' | 'until' | 'missed'> {
  /** The channels or patterns concerned; at most `maxNames`. */
  readonly names: readonly string[];
  readonly node: string | null;
  /** How long ago it ended, in ms. */
  readonly age: number;
}

/** @publicApi */
export interface ActiveChannels {
  readonly count: number;
  /** At most `maxNames` of them, sorted. */
  readonly names: readonly string[];
}
