import type { NodeKey } from '../common/node-address.js';
import type { InterruptionCause } from '../subscription/subscription-state.js';
import type { Subscription } from '../subscription/subscription.js';
import { changesBetween, EMPTY_SLOT_MAP, type SlotMap } from '../topology/slot-map.js';
import type { SubscriptionRegistry } from '../subscription/subscription-registry.js';
import type { Topology } from '../topology/topology.js';

export interface AllMastersDeps {
  /** Resolves when the per-node subscription is confirmed for the first time; see `Reconciler.add`. */
  add(perNode: Subscription, onConfirmed: () => void): Promise<void>;
  /** Adds one at a new master, which has missed something since the cause: it is tried until it is confirmed. */
  replace(former: Subscription | undefined, perNode: Subscription, cause: InterruptionCause): void;
  remove(perNode: Subscription): Promise<void>;
}

/**
 * Subscriptions at every master: one per node, wherever the masters are.
 *
 * Use this only for messages a node publishes to its own clients, such as keyspace notifications; regular messages
 * arrive once per master. Replicas emit the same notifications, so only the masters of a refreshed view are subscribed
 * to. What a new master emits before it has confirmed is missed, and reported as a gap since the view before.
 * Notifications carry no sequence number, so duplicates cannot be told from repeated events.
 */
export class AllMastersSubscriptions {
  readonly #subscriptions = new Set<Subscription>();
  #view: SlotMap = EMPTY_SLOT_MAP;
  /** Time of the refresh that gave the view, in ms since the epoch. */
  #viewedAt = 0;

  constructor(
    private readonly registry: SubscriptionRegistry,
    private readonly topology: Topology,
    private readonly deps: AllMastersDeps,
  ) {}

  /**
   * Resolves when every master has confirmed; rejects when one refuses, or does not answer in time. Then it is removed,
   * unless it was added before: a second subscriber must not end the subscription of the first.
   */
  async add(subscription: Subscription, onConfirmed: () => void): Promise<void> {
    const isNew = !this.#subscriptions.has(subscription);
    if (isNew) {
      if (this.#subscriptions.size === 0) {
        this.#view = this.topology.slotMap;
        this.#viewedAt = this.topology.lookedAt;
      }
      this.#subscriptions.add(subscription);
      for (const node of this.topology.masters) {
        subscription.atNode(node);
      }
    }
    try {
      await this.#confirmed(subscription, onConfirmed);
    } catch (error) {
      if (isNew) {
        this.registry.delete(subscription);
        await this.remove(subscription);
      }
      throw error;
    }
  }

  async remove(subscription: Subscription): Promise<void> {
    this.#subscriptions.delete(subscription);
    await Promise.all([...(subscription.perNode?.values() ?? [])].map((one) => this.deps.remove(one)));
  }

  /** Goes where the masters of the refreshed view are; a view that only a `MOVED` has changed is not complete. */
  follow(): void {
    const since = new Date(this.#viewedAt);
    const formerMasters = this.#formerMasters();
    this.#view = this.topology.slotMap;
    this.#viewedAt = this.topology.lookedAt;
    for (const subscription of this.#subscriptions) {
      this.#follow(subscription, formerMasters, since);
    }
  }

  close(): void {
    this.#subscriptions.clear();
  }

  /** By new master, the node that it has replaced since the last view. */
  #formerMasters(): ReadonlyMap<string, NodeKey> {
    const { slotMap: view, masters } = this.topology;
    const changes = view === this.#view ? [] : changesBetween(this.#view, view);
    return new Map(
      changes.flatMap(({ from, to }) =>
        to === undefined || from === undefined || masters.includes(from as NodeKey)
          ? []
          : [[to, from as NodeKey] as const],
      ),
    );
  }

  #follow(subscription: Subscription, formerMasters: ReadonlyMap<string, NodeKey>, since: Date): void {
    const perNode = subscription.perNode as Map<NodeKey, Subscription>;
    const { masters } = this.topology;
    for (const node of masters.filter((master) => !perNode.has(master))) {
      const former = formerMasters.get(node);
      const cause: InterruptionCause = { since, node: former, reason: 'slot-moved' };
      this.deps.replace(former && perNode.get(former), subscription.atNode(node), cause);
    }
    for (const [node, one] of perNode) {
      if (!masters.includes(node)) {
        perNode.delete(node);
        void this.deps.remove(one);
      }
    }
  }

  async #confirmed({ perNode = new Map() }: Subscription, onConfirmed: () => void): Promise<void> {
    let reported = false;
    const onFirst = (): void => {
      if (!reported) {
        reported = true;
        onConfirmed();
      }
    };
    await Promise.all(
      [...perNode].map(async ([node, one]) => {
        try {
          await this.deps.add(one, onFirst);
        } catch (error) {
          if (perNode.get(node) === one) {
            throw error; // otherwise the node is no longer a master
          }
        }
      }),
    );
  }
}
