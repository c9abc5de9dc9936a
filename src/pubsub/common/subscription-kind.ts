import type { ConfirmationType, DataMessageType, SubscriptionKindName } from './messages.js';

/** The commands, messages and routing rule of one kind of subscription. */
export interface SubscriptionKind {
  readonly name: SubscriptionKindName;
  readonly subscribe: 'SUBSCRIBE' | 'PSUBSCRIBE' | 'SSUBSCRIBE';
  readonly unsubscribe: 'UNSUBSCRIBE' | 'PUNSUBSCRIBE' | 'SUNSUBSCRIBE';
  readonly subscribed: ConfirmationType;
  readonly unsubscribed: ConfirmationType;
  readonly message: DataMessageType;
  /**
   * The node it is subscribed on: the master that owns the channel's slot, or, for patterns, the master that owns
   * {@link PATTERN_SLOT}. A pattern has no slot, and on two nodes it would receive every message twice.
   */
  readonly owner: 'slot-owner' | 'pattern-owner';
  /** True if the channels of one command must share a slot; Redis replies CROSSSLOT otherwise. */
  readonly singleSlotPerCommand: boolean;
}

/** Every `ClusterPubSub` subscribes patterns at the owner of this slot, so that one node can count all of them. */
export const PATTERN_SLOT = 0;

/** A hash tag whose slot is {@link PATTERN_SLOT}. */
export const PATTERN_SLOT_TAG = '06S';

export const SUBSCRIPTION_KINDS: Readonly<Record<SubscriptionKindName, SubscriptionKind>> = {
  channel: {
    name: 'channel',
    subscribe: 'SUBSCRIBE',
    unsubscribe: 'UNSUBSCRIBE',
    subscribed: 'subscribe',
    unsubscribed: 'unsubscribe',
    message: 'message',
    owner: 'slot-owner',
    singleSlotPerCommand: false,
  },
  pattern: {
    name: 'pattern',
    subscribe: 'PSUBSCRIBE',
    unsubscribe: 'PUNSUBSCRIBE',
    subscribed: 'psubscribe',
    unsubscribed: 'punsubscribe',
    message: 'pmessage',
    owner: 'pattern-owner',
    singleSlotPerCommand: false,
  },
  shard: {
    name: 'shard',
    subscribe: 'SSUBSCRIBE',
    unsubscribe: 'SUNSUBSCRIBE',
    subscribed: 'ssubscribe',
    unsubscribed: 'sunsubscribe',
    message: 'smessage',
    owner: 'slot-owner',
    singleSlotPerCommand: true,
  },
};

/** The kind of subscription that receives messages of a type. */
export const KIND_OF_MESSAGE: Readonly<Record<DataMessageType, SubscriptionKindName>> = {
  message: 'channel',
  pmessage: 'pattern',
  smessage: 'shard',
};

/** Returns whether a message or confirmation belongs to a shard channel. */
export function isSharded(type: DataMessageType | ConfirmationType): boolean {
  const { message, subscribed, unsubscribed } = SUBSCRIPTION_KINDS.shard;
  return type === message || type === subscribed || type === unsubscribed;
}

/** The meaning of a frame on a subscriber connection, by its first element. */
export type FrameType =
  { readonly is: 'message' | 'subscribed' | 'unsubscribed'; readonly kind: SubscriptionKind } | undefined;

const FRAMES = new Map<string, FrameType>(
  Object.values(SUBSCRIPTION_KINDS).flatMap((kind): [string, FrameType][] => [
    [kind.message, { is: 'message', kind }],
    [kind.subscribed, { is: 'subscribed', kind }],
    [kind.unsubscribed, { is: 'unsubscribed', kind }],
  ]),
);

export function frameType(first: Buffer): FrameType {
  return FRAMES.get(first.toString('latin1'));
}
