/** The form of received names and payloads: UTF-8 strings, or the bytes as they are. */
export type PubSubEncoding = 'utf8' | 'buffer';

/** Data to publish; a string is sent as UTF-8. Bytes are not copied: do not change them until `publish` has resolved. */
export type Payload = string | Buffer | Uint8Array;

/** A string or a `Buffer`, depending on the encoding. */
export type Encoded<E extends PubSubEncoding> = E extends 'buffer' ? Buffer : string;

/** The types of messages and confirmations, named as in Redis. */
export type DataMessageType = 'message' | 'pmessage' | 'smessage';
export type ConfirmationType =
  'subscribe' | 'psubscribe' | 'ssubscribe' | 'unsubscribe' | 'punsubscribe' | 'sunsubscribe';

/**
 * A received message.
 *
 * @publicApi
 */
export interface DataMessage<E extends PubSubEncoding = 'utf8'> {
  readonly type: DataMessageType;
  /** The matching pattern of a `pmessage`; otherwise null. */
  readonly pattern: Encoded<E> | null;
  readonly channel: Encoded<E>;
  readonly data: Encoded<E>;
}

/**
 * The confirmation of a subscription or unsubscription. `data` is the number of channels and patterns (for sharded
 * types: of shard channels) that this `ClusterPubSub` is then subscribed to.
 *
 * @publicApi
 */
export interface ConfirmationMessage<E extends PubSubEncoding = 'utf8'> {
  readonly type: ConfirmationType;
  readonly pattern: null;
  /** The channel or pattern. */
  readonly channel: Encoded<E>;
  readonly data: number;
}

/** @publicApi */
export type PubSubMessage<E extends PubSubEncoding = 'utf8'> = DataMessage<E> | ConfirmationMessage<E>;

/**
 * Called with each message of its subscription, and with the node (`host:port`) that delivered it. An error that it
 * throws, or rejects with, is emitted as `error`; later messages are still delivered.
 *
 * @publicApi
 */
export type MessageHandler<E extends PubSubEncoding = 'utf8'> = (
  message: DataMessage<E>,
  node: string,
) => unknown;

/** The kind of a subscription: classic channel, classic pattern, or shard channel. */
export type SubscriptionKindName = 'channel' | 'pattern' | 'shard';
