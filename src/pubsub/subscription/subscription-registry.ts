import type { ChannelKey } from '../common/channel-name.js';
import type { SubscriptionKindName } from '../common/messages.js';
import type { NodeKey } from '../common/node-address.js';
import type { Subscription } from './subscription.js';

/** The subscriptions of one engine, by kind and name. */
export class SubscriptionRegistry {
  readonly #byKind: Readonly<Record<SubscriptionKindName, Map<ChannelKey, Subscription>>> = {
    channel: new Map(),
    pattern: new Map(),
    shard: new Map(),
  };

  /** Removed, but not yet unsubscribed at Redis, which still counts us among the receivers. */
  readonly #leaving: Readonly<Record<SubscriptionKindName, Map<ChannelKey, Subscription>>> = {
    channel: new Map(),
    pattern: new Map(),
    shard: new Map(),
  };

  #elsewhere = 0;
  #unaccompanied = 0;
  #patterns = 0;

  /** Confirmed by Redis, for the running counts of confirmations. Redis counts shard channels separately. */
  readonly #confirmed = { classic: new Set<Subscription>(), shard: new Set<Subscription>() };

  get(kind: SubscriptionKindName, key: ChannelKey): Subscription | undefined {
    return this.#byKind[kind].get(key);
  }

  /** The connection of a node that carries the name, also until Redis has confirmed its end; see {@link Subscription.layer}. */
  layerOf(kind: SubscriptionKindName, key: ChannelKey): number | undefined {
    return (this.#byKind[kind].get(key) ?? this.#leaving[kind].get(key))?.layer;
  }

  /** Whether it, or the subscription at several masters that it is part of, still receives messages until {@link gone}. */
  isLeaving(subscription: Subscription, node: NodeKey): boolean {
    const leaving = this.#leaving[subscription.kind.name].get(subscription.key);
    return leaving !== undefined && (leaving === subscription || leaving.perNode?.get(node) === subscription);
  }

  add(subscription: Subscription): void {
    this.#count(subscription, 1);
    this.#byKind[subscription.kind.name].set(subscription.key, subscription);
  }

  delete(subscription: Subscription): void {
    const { kind, key } = subscription;
    const wanted = this.#byKind[kind.name];
    if (wanted.get(key) === subscription) {
      wanted.delete(key); // a per-node subscription is not registered itself
      this.#count(subscription, -1);
    }
    this.#confirmedWith(kind.name).delete(subscription);
  }

  /** Like {@link delete}, but it receives messages until {@link gone}. */
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

  /** Notes the confirmation, and returns the running count that includes it. */
  confirm(subscription: Subscription): number {
    return this.#confirmedWith(subscription.kind.name).add(subscription).size;
  }

  /** Number of subscriptions on chosen nodes and on all masters. */
  get elsewhere(): number {
    return this.#elsewhere;
  }

  /** Number of classic channels without a shard subscription of the same name, which Redis would end when their slot moves. */
  get unaccompanied(): number {
    return this.#unaccompanied;
  }

  get unaccompaniedChannels(): readonly Subscription[] {
    const { channel, shard } = this.#byKind;
    return [...channel.values()].filter(({ target, key }) => target === 'home' && !shard.has(key));
  }

  /** Number of patterns at the owner of their slot. */
  get patterns(): number {
    return this.#patterns;
  }

  of(kind: SubscriptionKindName): readonly Subscription[] {
    return [...this.#byKind[kind].values()];
  }

  /** The subscriptions as the user named them. */
  get named(): readonly Subscription[] {
    return Object.values(this.#byKind).flatMap((map) => [...map.values()]);
  }

  /** The subscriptions that go to one node each, per-node ones included. */
  get all(): readonly Subscription[] {
    const all: Subscription[] = [];
    for (const one of this.named) {
      if (one.perNode === undefined) {
        all.push(one);
      } else {
        all.push(...one.perNode.values());
      }
    }
    return all;
  }

  /** As {@link all}, without the list. */
  some(isSuch: (subscription: Subscription) => boolean): boolean {
    for (const byName of Object.values(this.#byKind)) {
      for (const one of byName.values()) {
        if (one.perNode === undefined ? isSuch(one) : [...one.perNode.values()].some(isSuch)) {
          return true;
        }
      }
    }
    return false;
  }

  /** The length of {@link all}, without the list. */
  get size(): number {
    let size = 0;
    for (const byName of Object.values(this.#byKind)) {
      for (const { perNode } of byName.values()) {
        size += perNode === undefined ? 1 : perNode.size;
      }
    }
    return size;
  }

  /** The nodes that users have chosen for subscriptions. */
  get chosenNodes(): ReadonlySet<NodeKey> {
    const nodes = new Set<NodeKey>();
    for (const byName of Object.values(this.#byKind)) {
      for (const { pinned } of byName.values()) {
        if (pinned !== undefined) {
          nodes.add(pinned);
        }
      }
    }
    return nodes;
  }

  /** Whether a message may still arrive for any of them. */
  get inUse(): boolean {
    return [this.#byKind, this.#leaving].some((kinds) =>
      Object.values(kinds).some((subscriptions) => subscriptions.size > 0),
    );
  }

  /** The running count that a confirmation reports. */
  count(kind: SubscriptionKindName): number {
    return this.#confirmedWith(kind).size;
  }

  /** Counted, because it is checked at each query of the topology. */
  #count({ kind, key, target }: Subscription, by: 1 | -1): void {
    const { channel, shard } = this.#byKind;
    if (target !== 'home') {
      this.#elsewhere += by;
    } else if (kind.name === 'pattern') {
      this.#patterns += by;
    } else if (kind.name === 'shard') {
      this.#unaccompanied -= channel.get(key)?.target === 'home' ? by : 0;
    } else {
      this.#unaccompanied += shard.has(key) ? 0 : by;
    }
  }

  #confirmedWith(kind: SubscriptionKindName): Set<Subscription> {
    return kind === 'shard' ? this.#confirmed.shard : this.#confirmed.classic;
  }
}
