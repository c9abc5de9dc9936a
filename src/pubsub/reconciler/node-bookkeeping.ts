import type { SubscriptionKindName } from '../common/messages.js';
import type { NodeKey } from '../common/node-address.js';
import type { Subscription, SubscriptionScope } from '../subscription/subscription.js';

/** How many names one (P)SUBSCRIBE carries at most. */
const MAX_NAMES_PER_COMMAND = 500;

/** The subscriptions that one connection is to carry or to drop, was asked for, and that Redis has confirmed on it. */
export class NodeBookkeeping {
  readonly toAdd = new Set<Subscription>();
  /** Sent to the node, and not confirmed yet. */
  readonly adding = new Set<Subscription>();
  readonly #toDrop = new Map<Subscription, (() => void)[]>();
  /** By kind and name: a compound key would be built anew for every subscription in each pass of the reconciler. */
  readonly #confirmed: SubscriptionsByName = { channel: new Map(), pattern: new Map(), shard: new Map() };
  /** Unsubscribed, until Redis has confirmed the end. */
  readonly #leaving: SubscriptionsByName = { channel: new Map(), pattern: new Map(), shard: new Map() };
  readonly #sizes = new Map<SubscriptionScope, number>();

  get confirmed(): readonly Subscription[] {
    return Object.values(this.#confirmed).flatMap((byName) => [...byName.values()]);
  }

  get size(): number {
    const { channel, pattern, shard } = this.#confirmed;
    return channel.size + pattern.size + shard.size;
  }

  /** Number of confirmed subscriptions of the scope. */
  sizeOf(scope: SubscriptionScope): number {
    return this.#sizes.get(scope) ?? 0;
  }

  /** The scopes with a confirmed subscription. */
  get scopes(): Iterable<SubscriptionScope> {
    return this.#sizes.keys();
  }

  /** The scopes with a subscription that is not confirmed yet. */
  get waitingScopes(): ReadonlySet<SubscriptionScope> {
    return new Set([...this.toAdd, ...this.adding].map(({ scope }) => scope));
  }

  get hasWork(): boolean {
    return this.toAdd.size > 0 || this.#toDrop.size > 0;
  }

  get toDrop(): readonly Subscription[] {
    return [...this.#toDrop.keys()].filter((one) => !this.toAdd.has(one));
  }

  isConfirmed(subscription: Subscription): boolean {
    return this.#confirmed[subscription.kind.name].get(subscription.key) === subscription;
  }

  /** The subscription that a message to this name is for. */
  receiver(kind: SubscriptionKindName, key: string): Subscription | undefined {
    return this.#confirmed[kind].get(key) ?? this.#leaving[kind].get(key);
  }

  /** Carried, and not about to be dropped. */
  has(subscription: Subscription): boolean {
    return this.isConfirmed(subscription) && !this.#toDrop.has(subscription);
  }

  /** Number of wanted subscriptions of the scope that are assigned to `node`, which this is the bookkeeping of, and active there. */
  countActiveOn(node: NodeKey, scope: SubscriptionScope): number {
    let count = 0;
    for (const byName of Object.values(this.#confirmed)) {
      for (const subscription of byName.values()) {
        const { state } = subscription;
        const isOwn = subscription.scope === scope;
        const isActive = isOwn && state.assigned === node && state.activeNodes.has(node) && !state.ended;
        count += isActive && !(this.#toDrop.size > 0 && this.#toDrop.has(subscription)) ? 1 : 0;
      }
    }
    return count;
  }

  /** Carried, or something is to be done for it. */
  knows(subscription: Subscription): boolean {
    return (
      this.isConfirmed(subscription) ||
      this.toAdd.has(subscription) ||
      this.adding.has(subscription) ||
      this.#toDrop.has(subscription)
    );
  }

  confirm(subscription: Subscription): void {
    this.adding.delete(subscription);
    this.forget(subscription.kind.name, subscription.key); // another one under the same name, which it replaces
    this.#confirmed[subscription.kind.name].set(subscription.key, subscription);
    this.#sizes.set(subscription.scope, this.sizeOf(subscription.scope) + 1);
  }

  /** Returns the subscription that was confirmed under this name. */
  forget(kind: SubscriptionKindName, key: string): Subscription | undefined {
    const subscription = this.#confirmed[kind].get(key);
    if (subscription !== undefined) {
      this.#confirmed[kind].delete(key);
      this.#shrink(subscription.scope);
    }
    return subscription;
  }

  /** It is being unsubscribed, and receives messages until {@link left}. */
  leave(subscription: Subscription): void {
    this.forget(subscription.kind.name, subscription.key);
    this.#leaving[subscription.kind.name].set(subscription.key, subscription);
  }

  left({ kind, key }: Subscription): void {
    this.#leaving[kind.name].delete(key);
  }

  /** Everything that was asked for and confirmed went with the connection. */
  clear(): void {
    for (const byName of [...Object.values(this.#confirmed), ...Object.values(this.#leaving)]) {
      byName.clear();
    }
    this.#sizes.clear();
    this.adding.clear();
    this.settleDrops();
  }

  /** Resolves when the drop is settled. */
  drop(subscription: Subscription): Promise<void> {
    return new Promise((resolve) => {
      const others = this.#toDrop.get(subscription) ?? [];
      this.#toDrop.set(subscription, [...others, resolve]);
    });
  }

  settleDrop(subscription: Subscription): void {
    const waiting = this.#toDrop.get(subscription) ?? [];
    this.#toDrop.delete(subscription);
    for (const resolve of waiting) {
      resolve();
    }
  }

  settleDrops(): void {
    for (const subscription of [...this.#toDrop.keys()]) {
      this.settleDrop(subscription);
    }
  }

  #shrink(scope: SubscriptionScope): void {
    const size = this.sizeOf(scope) - 1;
    if (size === 0) {
      this.#sizes.delete(scope);
    } else {
      this.#sizes.set(scope, size);
    }
  }
}

type SubscriptionsByName = Readonly<Record<SubscriptionKindName, Map<string, Subscription>>>;

/** Each scope with those of the subscriptions that are its own. */
export function byScope(
  subscriptions: readonly Subscription[],
): ReadonlyMap<SubscriptionScope, readonly Subscription[]> {
  const groups = new Map<SubscriptionScope, Subscription[]>();
  for (const subscription of subscriptions) {
    const group = groups.get(subscription.scope);
    if (group === undefined) {
      groups.set(subscription.scope, [subscription]);
    } else {
      group.push(subscription);
    }
  }
  return groups;
}

/** Cuts a list into what single commands may carry: one kind, and for shard channels one slot. */
export function batchesOf(subscriptions: readonly Subscription[]): readonly (readonly Subscription[])[] {
  const groups = new Map<string, Subscription[][]>();
  for (const subscription of subscriptions) {
    const { kind, slot } = subscription;
    const group = kind.singleSlotPerCommand ? `${kind.name} ${String(slot)}` : kind.name;
    const batches = groups.get(group) ?? [];
    const last = batches.at(-1);
    if (last === undefined || last.length >= MAX_NAMES_PER_COMMAND) {
      batches.push([subscription]);
    } else {
      last.push(subscription);
    }
    groups.set(group, batches);
  }
  return [...groups.values()].flat();
}
