import {
  bytesOfKey,
  channelKey,
  displayName,
  slotOf,
  type ChannelKey,
  type ChannelName,
} from '../common/channel-name.js';
import type { Deferred } from '../../util/promises.js';
import type { Arrival, MigrationDeduplicator } from '../ordering/migration-dedup.js';
import type { MessageHandler, SubscriptionKindName, PubSubEncoding } from '../common/messages.js';
import type { Gap } from '../common/events.js';
import type { NodeKey } from '../common/node-address.js';
import type { Sequencer } from '../ordering/sequencer.js';
import type { SubscriptionKind } from '../common/subscription-kind.js';

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
  /** The node where it belongs, as far as the topology is known. */
  assigned: NodeKey | undefined;
  /** The nodes that have confirmed it: one, or two while it moves. */
  readonly activeNodes = new Set<NodeKey>();
  /** Set while it goes from one living node to another. */
  migration: MigrationDeduplicator | undefined;
  /** Set from when a node has ended it, for its slot has gone, until it stands again or is given up for lost. */
  gracePeriod: Pick<Gap, 'since' | 'node' | 'reason'> | undefined;
  /** Puts numbered messages in order; made when the first one comes. */
  sequencer: Sequencer<Arrival> | undefined;
  /** Whether messages without a number have come: nobody can tell whether one of those is missing. */
  unnumbered = false;
  /** Set while it does not stand, if it ever did. */
  interruption: Pick<Gap, 'since' | 'node' | 'reason'> | undefined;
  /** Those who wait for its first confirmation. */
  readonly waiters: Deferred<undefined>[] = [];
  wanted = true;
  /** Since when it is wanted, or stands no longer, by the monotonic clock, in ms; of one that stands, when that was last so. */
  missingSince = performance.now();
  /** How often Redis has refused it since it last stood, with an error that passes. */
  refusals = 0;

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

/** Everything that is wanted, by kind and name. */
export class SubscriptionRegistry {
  readonly #byKind: Readonly<Record<SubscriptionKindName, Map<ChannelKey, Subscription>>> = {
    channel: new Map(),
    pattern: new Map(),
    shard: new Map(),
  };

  /** Those that nobody wants any more, while Redis has not confirmed their end: it counts us among the receivers still. */
  readonly #leaving: Readonly<Record<SubscriptionKindName, Map<ChannelKey, Subscription>>> = {
    channel: new Map(),
    pattern: new Map(),
    shard: new Map(),
  };

  /** Those that Redis has confirmed: what its running counts are about. Shard channels are counted apart. */
  readonly #confirmed = { classic: new Set<Subscription>(), shard: new Set<Subscription>() };

  get(kind: SubscriptionKindName, key: ChannelKey): Subscription | undefined {
    return this.#byKind[kind].get(key);
  }

  /** Whose message that is, if it came from `node`: also of one that is leaving. */
  receiver(kind: SubscriptionKindName, key: ChannelKey, node: NodeKey): Subscription | undefined {
    const subscription = this.#byKind[kind].get(key) ?? this.#leaving[kind].get(key);
    return subscription?.perNode === undefined ? subscription : subscription.perNode.get(node);
  }

  add(subscription: Subscription): void {
    this.#byKind[subscription.kind.name].set(subscription.key, subscription);
  }

  delete(subscription: Subscription): void {
    const { kind, key } = subscription;
    const wanted = this.#byKind[kind.name];
    if (wanted.get(key) === subscription) {
      wanted.delete(key); // a part of one is not what its name stands for
    }
    this.#confirmedWith(kind.name).delete(subscription);
  }

  /** As {@link delete}, but what comes until {@link gone} is its own. */
  leave(subscription: Subscription): void {
    this.delete(subscription);
    this.#leaving[subscription.kind.name].set(subscription.key, subscription);
  }

  gone(subscription: Subscription): void {
    const leaving = this.#leaving[subscription.kind.name];
    if (leaving.get(subscription.key) === subscription) {
      leaving.delete(subscription.key);
    }
  }

  /** Notes that Redis has confirmed it, and gives the running count with it. */
  confirm(subscription: Subscription): number {
    return this.#confirmedWith(subscription.kind.name).add(subscription).size;
  }

  of(kind: SubscriptionKindName): readonly Subscription[] {
    return [...this.#byKind[kind].values()];
  }

  /** What the user named, one by one. */
  get named(): readonly Subscription[] {
    return Object.values(this.#byKind).flatMap((map) => [...map.values()]);
  }

  /** What stands at one node each: the parts of one that stands at all masters. */
  get all(): readonly Subscription[] {
    return this.named.flatMap((one) => (one.perNode === undefined ? [one] : [...one.perNode.values()]));
  }

  /** The nodes that users have chosen, by themselves and not as masters. */
  get chosenNodes(): ReadonlySet<NodeKey> {
    return new Set(this.named.flatMap(({ pinned }) => pinned ?? []));
  }

  /** Whether anything is wanted, or may come still. */
  get inUse(): boolean {
    return [this.#byKind, this.#leaving].some((kinds) =>
      Object.values(kinds).some((subscriptions) => subscriptions.size > 0),
    );
  }

  /** The running count that a confirmation tells. */
  count(kind: SubscriptionKindName): number {
    return this.#confirmedWith(kind).size;
  }

  #confirmedWith(kind: SubscriptionKindName): Set<Subscription> {
    return kind === 'shard' ? this.#confirmed.shard : this.#confirmed.classic;
  }
}
