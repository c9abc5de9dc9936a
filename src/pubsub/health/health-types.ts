import type { SubscriptionKindName } from '../common/messages.js';
import type { Gap, PubSubStatus } from '../common/events.js';
import type { ChannelName } from '../common/channel-name.js';

/**
 * - `up`: every check passed
 * - `degraded`: messages pass, but the report is incomplete: a slotless node is unreachable, or the ACL refuses a command or
 *   the probe; for `readiness` also what is wrong with masters that this process does not need
 * - `down`: messages are, or may be, lost or refused; see {@link PubSubHealthProfile}
 *
 * @publicApi
 */
export type PubSubHealthStatus = 'up' | 'degraded' | 'down';

/**
 * Who asks for the health, which decides what is `down`:
 *
 * - `people`: whatever is wrong with the cluster or with this process
 * - `readiness`: what keeps this process from doing its work. A master that it needs is one where it has a subscription
 *   (reply inboxes are subscriptions too), or to which it has published lately; what concerns other masters is `degraded`.
 * - `liveness`: what only a restart repairs. The cluster is not queried.
 *
 * @publicApi
 */
export type PubSubHealthProfile = 'people' | 'readiness' | 'liveness';

/**
 * Options of `ClusterPubSub.health()`.
 *
 * @publicApi
 */
export interface PubSubHealthOptions {
  /** Who asks: decides what is `down`, and what only `degraded`. Default `people`. */
  for?: PubSubHealthProfile | undefined;
  /**
   * The channels whose subscribers are counted in `numsub` and `shardNumsub`. Default: the first `maxNames` channels that
   * this engine is subscribed to.
   */
  channels?: readonly ChannelName[] | undefined;
  /**
   * Down when a watched channel has fewer subscribers by name than this; degraded where not every node was counted.
   * Compared with the greater of the classic and the sharded count, because most clients of this package subscribe both
   * ways. Default 0.
   */
  minSubscribers?: number | undefined;
  /** Down while the last gap ended less than this long ago, in ms. Default 0: gaps are only reported. */
  maxGapAge?: number | undefined;
  /** Down when a subscription has not been confirmed by Redis for longer than this, in ms. Default 2,000. */
  confirmationTimeout?: number | undefined;
  /**
   * Publish a message on a private channel of each shard and wait for it on a subscriber connection to the master: down
   * when it does not arrive. Masters with too few slots for such a channel are left out. Default false.
   */
  probe?: boolean | undefined;
  /** The time limit of the whole check, in ms. Nodes that have not answered by then are named. Default 1,000. */
  timeout?: number | undefined;
  /**
   * How long a result is reused for the same options, in ms, and one that is `down` at most 250 ms; concurrent calls always
   * share one. The results of up to 64 different sets of options are kept. Default 1,000.
   */
  cacheTtl?: number | undefined;
  /** The maximum length of each list of names. Default 100. */
  maxNames?: number | undefined;
}

/**
 * The health of a `ClusterPubSub` and its cluster; see `ClusterPubSub.health()`. Plain data: `JSON.stringify()` loses only
 * the type of the dates. Times are in ms.
 *
 * @publicApi
 */
export interface PubSubHealth {
  readonly status: PubSubHealthStatus;
  /** Why it is not `up`: sentences for people, each with the node or the channel. */
  readonly reasons: readonly string[];
  /** The `code` of the error when the cluster could not be queried at all: `CLOSED`, `CLUSTER_UNREACHABLE`, … */
  readonly code?: string;
  /** When the cluster was checked. */
  readonly at: Date;
  /** The status of the engine that ran the check. */
  readonly engine: PubSubStatus;
  readonly masters: {
    /** Masters of the cluster. */
    readonly known: number;
    /** Masters to which a subscriber connection is open. It is opened for the first subscription there. */
    readonly subscribed: number;
    /** Masters that answered. */
    readonly reachable: number;
    readonly nodes: readonly MasterHealth[];
  };
  /** Nodes without slots: replicas, slotless masters and nodes flagged `fail`. */
  readonly replicas: { readonly known: number; readonly reachable: number };
  readonly subscriptions: {
    /** Desired channels, patterns and shard channels. */
    readonly desired: number;
    /** Desired subscriptions that Redis has confirmed. */
    readonly confirmed: number;
    /** Subscriptions unconfirmed for longer than `confirmationTimeout`; at most `maxNames`. */
    readonly unconfirmed: readonly UnconfirmedSubscription[];
  };
  readonly lastGap: LastGap | null;
  readonly queues: {
    /** Outgoing messages that wait for an unreachable node. */
    readonly waitingForNodes: number;
    /** Outgoing messages that wait for their subscribers to follow a migrated slot. */
    readonly waitingForSubscribers: number;
    /** Received messages that wait for `listen()` or `getMessage()`. */
    readonly unread: number;
  };
  /**
   * The classic subscribers of each watched channel, by name, summed over all nodes, replicas included. Redis does not count
   * pattern subscribers here. Bytes of a name that is not UTF-8 are written as `\xff`, so that no two channels share a
   * count.
   */
  readonly numsub: Readonly<Record<string, number>>;
  /** The same for shard channels. Empty where the cluster has none (Redis 6). */
  readonly shardNumsub: Readonly<Record<string, number>>;
  /** The classic channels with subscribers by name, of any client, that begin with the prefix. */
  readonly activeChannels: ActiveChannels;
  readonly shardChannels: ActiveChannels;
  /** Different patterns with subscribers, summed over the nodes; the number of their clients is not known. */
  readonly patterns: number;
  /** Whether every node answered every command; otherwise the counts are of the nodes that did. */
  readonly complete: boolean;
}

/** @publicApi */
export interface MasterHealth {
  /** `host:port`. */
  readonly node: string;
  readonly reachable: boolean;
  /** Whether a subscriber connection is open. */
  readonly subscribed: boolean;
  /** Subscriptions that are active there. */
  readonly subscriptions: number;
  /** The round trip of a PING, in ms; null without a reply. */
  readonly roundTrip: number | null;
  /**
   * The round trip of the last probe, in ms: a message of our own, published through the node and received on the subscriber
   * connection. With `probe` it is that of this check. null: no probe was needed yet, it was not delivered, or the master
   * has too few slots for a probe channel.
   */
  readonly heartbeat: number | null;
  /** Outgoing messages that wait for this node. */
  readonly queued: number;
}

/** @publicApi */
export interface UnconfirmedSubscription {
  readonly kind: SubscriptionKindName;
  readonly name: string;
  /** The node (`host:port`) that it belongs on; null where no node owns its slot. */
  readonly node: string | null;
  /** How long it has been unconfirmed, in ms. */
  readonly for: number;
}

/**
 * The most recent gap; see {@link Gap}.
 *
 * @publicApi
 */
export interface LastGap extends Pick<Gap, 'kind' | 'reason' | 'since' | 'until' | 'missed'> {
  /** The affected channels or patterns; at most `maxNames`. */
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
  /**
   * False where a node has more than 10,000 channels, or may not say how many: anybody can subscribe to that many, and to
   * list them would keep Redis from serving others. `count` is then what the nodes say, one by one and whatever the
   * prefix, and `names` are those of the watched channels that have subscribers.
   */
  readonly listed: boolean;
}
