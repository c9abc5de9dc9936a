import type { ChannelKey } from '../common/channel-name.js';
import type { SubscriptionKindName } from '../common/messages.js';
import type { NodeKey } from '../common/node-address.js';
import type { Subscription } from './subscription.js';

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
