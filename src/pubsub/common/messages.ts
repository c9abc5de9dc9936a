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
