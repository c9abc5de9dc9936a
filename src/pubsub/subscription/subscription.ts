import {
  bytesOfKey,
  channelKey,
  displayName,
  slotOf,
  type ChannelKey,
  type ChannelName,
} from '../common/channel-name.js';
import type { Arrival } from '../ordering/migration-dedup.js';
import type { MessageHandler, PubSubEncoding } from '../common/messages.js';
import type { Metrics } from '../common/metrics.js';
import type { NodeKey } from '../common/node-address.js';
import type { Sequencer } from '../ordering/sequencer.js';
import type { SubscriptionKind } from '../common/subscription-kind.js';
import { SubscriptionState } from './subscription-state.js';

/**
 * Where a subscription is to be active: on the owner node of its kind and slot (`home`), on one chosen node whatever
 * happens to the slots, or on every master.
 */
export type SubscriptionTarget = 'home' | 'all-masters' | NodeKey;

/**
 * The scope that a subscription belongs to. Several scopes (the server, the client and the engine of an application) may
 * share the connections that carry their subscriptions.
 */
export interface SubscriptionScope {
  readonly metrics: Metrics;
  /**
   * Set before the messages of one read: all that the connection was sent before has been read, by the monotonic clock, in
   * ms. A message that was read late says nothing about when the one before it arrived.
   */
  completeUntil: number;
  /** Accepts a message that the node has delivered for the subscription. */
  receive(subscription: Subscription, node: NodeKey, channel: Buffer, data: Buffer): void;
}

/** One channel, pattern or shard channel that the user has subscribed to: the desired state, and its actual one. */
export class Subscription {
  readonly key: ChannelKey;
  /** The name as text, for the encoding `utf8`. */
  readonly text: string;
  readonly slot: number;
  handler: MessageHandler<PubSubEncoding> | undefined;
  /**
   * The subscriptions on the masters, for the target `all-masters`. These are sent to the nodes and receive the
   * messages; the one that has them is what the user sees.
   */
  readonly perNode: Map<NodeKey, Subscription> | undefined;
  /** The actual state: which nodes have confirmed it, and what happens to it. */
  readonly state = new SubscriptionState();
  /** Puts numbered messages in order; created with the first one. */
  sequencer: Sequencer<Arrival> | undefined;
  /** Messages without a number have arrived: a missing one cannot be detected. */
  unnumbered = false;

  constructor(
    readonly scope: SubscriptionScope,
    readonly kind: SubscriptionKind,
    readonly name: ChannelName,
    readonly target: SubscriptionTarget = 'home',
    /**
     * The connection of a node that carries it: the first, unless another scope has subscribed to the same name there.
     * Redis counts connections, so each subscriber needs one that has no other subscription to the name.
     */
    readonly layer = 0,
  ) {
    this.perNode = target === 'all-masters' ? new Map<NodeKey, Subscription>() : undefined;
    this.key = channelKey(name);
    this.text = displayName(name);
    this.slot = slotOf(name);
  }

  /** The chosen node, if there is one. */
  get pinned(): NodeKey | undefined {
    return this.target === 'home' || this.target === 'all-masters' ? undefined : this.target;
  }

  /** Creates the per-node subscription on one of the masters, for the target `all-masters`. */
  atNode(node: NodeKey): Subscription {
    const perNode = new Subscription(this.scope, this.kind, this.name, node, this.layer);
    perNode.handler = this.handler;
    this.perNode?.set(node, perNode);
    return perNode;
  }

  handleWith(handler: MessageHandler<PubSubEncoding> | undefined): void {
    this.handler = handler;
    for (const perNode of this.perNode?.values() ?? []) {
      perNode.handler = handler;
    }
  }

  /** The name as bytes, for the encoding `buffer`. */
  get bytes(): Buffer {
    return bytesOfKey(this.key);
  }
}
