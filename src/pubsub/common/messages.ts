import type { ChannelName } from './channel-name.js';

/** How names and payloads are returned: as UTF-8 strings, or as the bytes they are. */
export type PubSubEncoding = 'utf8' | 'buffer';

/** What can be published: a string is sent as its UTF-8 bytes. Bytes are not copied: leave them as they are until the count is there. */
export type Payload = string | Buffer | Uint8Array;

/** A string or a `Buffer`, as the chosen encoding has it. */
export type Encoded<E extends PubSubEncoding> = E extends 'buffer' ? Buffer : string;

/** What a message or a confirmation is; the names are Redis's own. */
export type DataMessageType = 'message' | 'pmessage' | 'smessage';
export type ConfirmationType =
  'subscribe' | 'psubscribe' | 'ssubscribe' | 'unsubscribe' | 'punsubscribe' | 'sunsubscribe';

/**
 * A published message as it arrives.
 *
 * @publicApi
 */
export interface DataMessage<E extends PubSubEncoding = 'utf8'> {
  readonly type: DataMessageType;
  /** The pattern that matched, for `pmessage`; else null. */
  readonly pattern: Encoded<E> | null;
  readonly channel: Encoded<E>;
  readonly data: Encoded<E>;
}

/**
 * The confirmation of a (un)subscription. `data` is how many channels and patterns (for the sharded kinds: shard
 * channels) this `ClusterPubSub` is subscribed to after it.
 *
 * @publicApi
 */
export interface ConfirmationMessage<E extends PubSubEncoding = 'utf8'> {
  readonly type: ConfirmationType;
  readonly pattern: null;
  /** The channel or pattern that was (un)subscribed. */
  readonly channel: Encoded<E>;
  readonly data: number;
}

/** @publicApi */
export type PubSubMessage<E extends PubSubEncoding = 'utf8'> = DataMessage<E> | ConfirmationMessage<E>;

/**
 * Called with each message of its subscription, and with the node (`host:port`) that it came from. What it throws, or
 * the promise it returns rejects with, is emitted as `error`; the messages after it go on.
 *
 * @publicApi
 */
export type MessageHandler<E extends PubSubEncoding = 'utf8'> = (
  message: DataMessage<E>,
  node: string,
) => unknown;

/** Which kind of subscription: classic channel, classic pattern, or shard channel. */
export type SubscriptionKindName = 'channel' | 'pattern' | 'shard';

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
