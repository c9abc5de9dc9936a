import type { ClusterPubSubError } from './errors.js';
import type { SubscriptionKindName } from './messages.js';
import type { ChannelName } from './channel-name.js';

/**
 * What a {@link ClusterPubSub} emits. Without an `error` listener errors are not thrown: the first of each code is a
 * warning of the process.
 */
export interface ClusterPubSubEvents {
  /** Subscriptions stand again that did not for a while: what was published meanwhile may be missing. */
  gap: [gap: Gap];
  /** Subscriptions that stood now stand nowhere; a `gap` follows when they are back. */
  interrupted: [interruption: Interruption];
  /** Slots have another master than before. */
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
  /** The channels or patterns concerned. */
  readonly names: readonly ChannelName[];
  /** The node (`host:port`) whose connection was lost, where there is one. */
  readonly node: string | undefined;
  /** When the subscription was last known to stand: when its connection was last heard. */
  readonly since: Date;
  /** When it stood again. */
  readonly until: Date;
  /** How many messages were missed, where that is known. */
  readonly missed?: number;
  readonly reason: GapReason;
}

/**
 * - `connection-lost`: the connection ended, the node died, or the node that was chosen for it left the cluster
 * - `connection-silent`: the node, or the way to it, had stopped delivering, and a probe did not come back
 * - `slow-consumer`: the node ended the connection while much was still to be read, as `client-output-buffer-limit` does
 * - `slot-moved`: the slot left the node, and the subscription could not follow in time
 * - `sequence`: later messages of the same publishers arrived, `missed` before them did not. It may tell how much was
 *   lost in a hole that was reported already
 * - `buffer-overflow`: the application did not read `listen()` or `getMessage()` in time
 */
export type GapReason =
  'connection-lost' | 'connection-silent' | 'slow-consumer' | 'slot-moved' | 'sequence' | 'buffer-overflow';

/** A subscription that just stopped to stand; the {@link Gap} follows when it stands again. */
export type Interruption = Pick<Gap, 'kind' | 'names' | 'node' | 'since' | 'reason'>;

/** How the engine is doing, as a whole. */
export type PubSubStatus = 'idle' | 'connecting' | 'connected' | 'reconnecting' | 'closed';

/**
 * Slots that changed their master, or a change of the nodes alone (`slots` is 0 then): all that one look at the cluster
 * showed, at once.
 *
 * @publicApi
 */
export interface Moved {
  /** How many slots have another master than before. */
  readonly slots: number;
  /** Which slots they are: one entry for each pair of former and new master. */
  readonly changes: readonly SlotsMoved[];
  /** The masters (`host:port`) of the cluster now. */
  readonly masters: readonly string[];
}

/**
 * Slots that went from one master to another.
 *
 * @publicApi
 */
export interface SlotsMoved {
  /** The master (`host:port`) that they had; undefined where nobody owned them. */
  readonly from: string | undefined;
  /** The master (`host:port`) that they have; undefined where nobody owns them. */
  readonly to: string | undefined;
  /** The slots (0–16383), as ranges `[first, last]`, both included, in ascending order. */
  readonly ranges: readonly (readonly [number, number])[];
}

/** A gap, and when it was reported, by the monotonic clock, in ms. */
export interface RememberedGap {
  readonly gap: Gap;
  readonly reportedAt: number;
}
