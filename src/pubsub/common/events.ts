import type { ClusterPubSubError } from './errors.js';
import type { SubscriptionKindName } from './messages.js';
import type { ChannelName } from './channel-name.js';

/**
 * The events of a {@link ClusterPubSub}. Errors are not thrown without an `error` listener: the first error of each code
 * becomes a process warning.
 */
export interface ClusterPubSubEvents {
  /** Interrupted subscriptions are active again; messages published in the meantime may be missing. */
  gap: [gap: Gap];
  /** Active subscriptions are no longer subscribed on any node; a `gap` follows when they are active again. */
  interrupted: [interruption: Interruption];
  /** Slots moved to another master, or the nodes of the cluster changed. */
  moved: [moved: Moved];
  status: [status: PubSubStatus];
  error: [error: ClusterPubSubError];
}

/**
 * An interval in which a subscription may have missed messages.
 *
 * @publicApi
 */
export interface Gap {
  readonly kind: SubscriptionKindName;
  /** The affected channels or patterns. */
  readonly names: readonly ChannelName[];
  /** The node (`host:port`) whose connection was lost, if there is one. */
  readonly node: string | undefined;
  /** When the subscription was last known to be active: when its connection last received something. */
  readonly since: Date;
  /** When it was active again. */
  readonly until: Date;
  /** The number of missed messages, if known. */
  readonly missed?: number;
  readonly reason: GapReason;
}

/**
 * - `connection-lost`: the connection ended, the node failed, or the node chosen for the subscription left the cluster
 * - `connection-silent`: the node, or the network to it, stopped delivering, and a probe did not return
 * - `slow-consumer`: the node ended the connection while much was unread, as `client-output-buffer-limit` does
 * - `slot-moved`: the slot left the node, and the subscription could not follow in time
 * - `sequence`: later messages of the same publishers arrived, `missed` earlier ones did not. It may count the messages
 *   of a gap that was reported before
 * - `buffer-overflow`: the application did not read `listen()` or `getMessage()` in time
 */
export type GapReason =
  'connection-lost' | 'connection-silent' | 'slow-consumer' | 'slot-moved' | 'sequence' | 'buffer-overflow';

/** Subscriptions that are no longer active on any node; the {@link Gap} follows when they are active again. */
export type Interruption = Pick<Gap, 'kind' | 'names' | 'node' | 'since' | 'reason'>;

/** The overall state of the engine. */
export type PubSubStatus = 'idle' | 'connecting' | 'connected' | 'reconnecting' | 'closed';

/**
 * All changes found by one refresh of the topology: slots that moved to another master, or nodes only (`slots` is 0 then).
 *
 * @publicApi
 */
export interface Moved {
  /** The number of slots that moved to another master. */
  readonly slots: number;
  /** The moved slots: one entry for each pair of former and new master. */
  readonly changes: readonly SlotsMoved[];
  /** The current masters (`host:port`) of the cluster. */
  readonly masters: readonly string[];
}

/**
 * Slots that moved from one master to another.
 *
 * @publicApi
 */
export interface SlotsMoved {
  /** The former master (`host:port`); undefined if the slots had no owner. */
  readonly from: string | undefined;
  /** The new master (`host:port`); undefined if the slots have no owner. */
  readonly to: string | undefined;
  /** The slots (0–16383), as ranges `[first, last]`, both included, in ascending order. */
  readonly ranges: readonly (readonly [number, number])[];
}

/** A gap with the time of its report, by the monotonic clock, in ms. */
export interface RememberedGap {
  readonly gap: Gap;
  readonly reportedAt: number;
}
