import type { Subscription } from '../subscription/subscription.js';

/** How many names one (P)SUBSCRIBE carries at most. */
const MAX_NAMES_PER_COMMAND = 500;

/** The subscriptions that one node is to carry or to drop, was asked for, and has confirmed. */
export class NodeBookkeeping {
  readonly toAdd = new Set<Subscription>();
  /** Sent to the node, and not confirmed yet. */
  readonly adding = new Set<Subscription>();
  readonly #toDrop = new Map<Subscription, (() => void)[]>();
  readonly #confirmed = new Map<string, Subscription>();

  get confirmed(): readonly Subscription[] {
    return [...this.#confirmed.values()];
  }

  get size(): number {
    return this.#confirmed.size;
  }

  get hasWork(): boolean {
    return this.toAdd.size > 0 || this.#toDrop.size > 0;
  }

  get toDrop(): readonly Subscription[] {
    return [...this.#toDrop.keys()].filter((one) => !this.toAdd.has(one));
  }

  isConfirmed(subscription: Subscription): boolean {
    return this.#confirmed.get(idOf(subscription.kind.name, subscription.key)) === subscription;
  }

  /** Carried, and not about to be dropped. */
  has(subscription: Subscription): boolean {
    return this.isConfirmed(subscription) && !this.#toDrop.has(subscription);
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
    this.#confirmed.set(idOf(subscription.kind.name, subscription.key), subscription);
  }

  /** Returns the subscription that was confirmed under this name. */
  forget(kind: string, key: string): Subscription | undefined {
    const id = idOf(kind, key);
    const subscription = this.#confirmed.get(id);
    this.#confirmed.delete(id);
    return subscription;
  }

  /** Everything that was asked for and confirmed went with the connection. */
  clear(): void {
    this.#confirmed.clear();
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

function idOf(kind: string, key: string): string {
  return kind + key;
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
