import type { SubscriptionKindName } from '../common/messages.js';
import type { NodeKey } from '../common/node-address.js';
import type { Subscription } from '../subscription/subscription.js';

/** How many names one (P)SUBSCRIBE carries at most. */
const MAX_NAMES_PER_COMMAND = 500;

/** The subscriptions that one node is to carry or to drop, was asked for, and has confirmed. */
export class NodeBookkeeping {
  readonly toAdd = new Set<Subscription>();
  /** Sent to the node, and not confirmed yet. */
  readonly adding = new Set<Subscription>();
  readonly #toDrop = new Map<Subscription, (() => void)[]>();
  /** By kind and name: a compound key would be built anew for every subscription in each pass of the reconciler. */
  readonly #confirmed: Readonly<Record<SubscriptionKindName, Map<string, Subscription>>> = {
    channel: new Map(),
    pattern: new Map(),
    shard: new Map(),
  };

  get confirmed(): readonly Subscription[] {
    return Object.values(this.#confirmed).flatMap((byName) => [...byName.values()]);
  }

  get size(): number {
    const { channel, pattern, shard } = this.#confirmed;
    return channel.size + pattern.size + shard.size;
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

  /** Carried, and not about to be dropped. */
  has(subscription: Subscription): boolean {
    return this.isConfirmed(subscription) && !this.#toDrop.has(subscription);
  }

  /** Number of wanted subscriptions that are assigned to `node`, which this is the bookkeeping of, and active there. */
  countActiveOn(node: NodeKey): number {
    let count = 0;
    for (const byName of Object.values(this.#confirmed)) {
      for (const subscription of byName.values()) {
        const { state } = subscription;
        const isActive = state.assigned === node && state.activeNodes.has(node) && !state.ended;
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
    this.#confirmed[subscription.kind.name].set(subscription.key, subscription);
  }

  /** Returns the subscription that was confirmed under this name. */
  forget(kind: SubscriptionKindName, key: string): Subscription | undefined {
    const subscription = this.#confirmed[kind].get(key);
    this.#confirmed[kind].delete(key);
    return subscription;
  }

  /** Everything that was asked for and confirmed went with the connection. */
  clear(): void {
    for (const byName of Object.values(this.#confirmed)) {
      byName.clear();
    }
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
