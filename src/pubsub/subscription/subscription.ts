import {
  bytesOfKey,
  channelKey,
  displayName,
  slotOf,
  type ChannelKey,
  type ChannelName,
} from '../common/channel-name.js';
import type { Arrival } from '../ordering/migration-dedup.js';
import type { MessageHandler, SubscriptionKindName, PubSubEncoding } from '../common/messages.js';
import type { NodeKey } from '../common/node-address.js';
import type { Sequencer } from '../ordering/sequencer.js';
import type { SubscriptionKind } from '../common/subscription-kind.js';
import { SubscriptionState } from './subscription-state.js';

/**
 * Where a subscription stands: where its kind belongs (`home`), at one node whatever happens to the slots, or at every
 * master.
 */
export type SubscriptionTarget = 'home' | 'all-masters' | NodeKey;

/** One channel, pattern or shard channel that the user wants to hear: desired state, wherever it stands just now. */
export class Subscription {
  readonly key: ChannelKey;
  /** The name as text, for those who asked for strings. */
  readonly text: string;
  readonly slot: number;
  handler: MessageHandler<PubSubEncoding> | undefined;
  /**
   * One for each master, where it stands at all of them. These are what sessions carry, and whose messages arrive; the
   * whole is but their name, and what the user sees.
   */
  readonly perNode: Map<NodeKey, Subscription> | undefined;
  readonly state = new SubscriptionState();
  /** Puts numbered messages in order; made when the first one comes. */
  sequencer: Sequencer<Arrival> | undefined;
  /** Whether messages without a number have come: nobody can tell whether one of those is missing. */
  unnumbered = false;

  constructor(
    readonly kind: SubscriptionKind,
    readonly name: ChannelName,
    readonly target: SubscriptionTarget = 'home',
  ) {
    this.perNode = target === 'all-masters' ? new Map<NodeKey, Subscription>() : undefined;
    this.key = channelKey(name);
    this.text = displayName(name);
    this.slot = slotOf(name);
  }

  /** The node where it stands whatever happens to the slots, if there is one. */
  get pinned(): NodeKey | undefined {
    return this.target === 'home' || this.target === 'all-masters' ? undefined : this.target;
  }

  /** Makes the subscription at one of the masters, where this one is at all of them. */
  atNode(node: NodeKey): Subscription {
    const perNode = new Subscription(this.kind, this.name, node);
    perNode.handler = this.handler;
    this.perNode?.set(node, perNode);
    return perNode;
  }

  handleWith(handler: MessageHandler<PubSubEncoding> | undefined): void {
    this.handler = handler;
    for (const part of this.perNode?.values() ?? []) {
      part.handler = handler;
    }
  }

  /** The name as bytes, for those who asked for buffers. */
  get bytes(): Buffer {
    return bytesOfKey(this.key);
  }
}
