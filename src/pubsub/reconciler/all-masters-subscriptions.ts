import type { InterruptionCause } from './gap-tracker.js';
import type { Moved } from '../common/events.js';
import type { NodeKey } from '../common/node-address.js';
import { Subscription } from '../subscription/subscription.js';
import type { Topology } from '../topology/topology.js';

/** What the parts of spread subscriptions need of the reconciler. */
export interface AllMastersListener {
  /** Resolves when the part stands for the first time; see `Reconciler.want`. */
  want(part: Subscription, onConfirmed: () => void): Promise<void>;
  /** As `want`, for a part that comes later and has missed something since the cause: it is tried until it stands. */
  takeOver(part: Subscription, cause: InterruptionCause, onConfirmed: () => void): void;
  release(part: Subscription): Promise<void>;
}

/**
 * Subscriptions that stand at every master, with a part at each, wherever the masters are.
 *
 * They are for what a node tells its own clients alone, such as keyspace notifications; all else that is published comes
 * over the cluster's bus once for each master. A replica executes what its master does, and tells of it too: so of a
 * shard one node is heard. When a replica takes over, its former master is heard until we have read its confirmation, and
 * from then on no more. What the new master told before it had us is lost, and reported as a gap. What it told between
 * that and our reading of it comes twice where the former master, a replica by then, was read first: a busy event loop
 * makes that moment long. Events have no number to know a copy by, and a second one that is equal to the first may be the
 * next, which a hand-over would drop.
 */
export class AllMastersSubscriptions {
  readonly #spreads = new Map<Subscription, AllMastersSubscription>();
  #replicas: readonly NodeKey[] = [];
  /** Former masters that are masters in our view still: only a `MOVED` has told us that their replicas are. */
  readonly #superseded = new Set<NodeKey>();

  constructor(
    private readonly topology: Topology,
    private readonly owner: AllMastersListener,
  ) {}

  /**
   * Resolves when every master has confirmed; rejects when one refuses, or does not answer in time. Then it stands
   * nowhere, unless it was wanted before: who wants it anew must not end what stood.
   */
  async want(whole: Subscription, onConfirmed: () => void): Promise<void> {
    const earlier = this.#spreads.get(whole);
    if (earlier !== undefined) {
      await earlier.confirmed(onConfirmed);
      return;
    }
    if (this.#spreads.size === 0) {
      this.#replicas = this.topology.replicas;
    }
    const spread = new AllMastersSubscription(whole, this.topology, this.owner);
    this.#spreads.set(whole, spread);
    spread.start();
    try {
      await spread.confirmed(onConfirmed);
    } catch (error) {
      await this.release(whole);
      throw error;
    }
  }

  has(whole: Subscription): boolean {
    return this.#spreads.has(whole);
  }

  async release(whole: Subscription): Promise<void> {
    this.#spreads.delete(whole);
    await Promise.all([...(whole.perNode?.values() ?? [])].map((part) => this.owner.release(part)));
  }

  /** Goes where the masters are now. */
  follow(moved: Pick<Moved, 'changes'>): void {
    if (this.#spreads.size === 0) {
      return;
    }
    const heirs = this.#heirs(moved);
    this.#replicas = this.topology.replicas;
    const doubtful = [...heirs.values()].filter((former) => this.topology.masters.includes(former));
    for (const former of doubtful) {
      this.#superseded.add(former);
    }
    for (const spread of this.#spreads.values()) {
      spread.follow(heirs, this.#superseded);
    }
    if (doubtful.length > 0) {
      this.#makeSure();
    }
  }

  close(): void {
    this.#spreads.clear();
  }

  /** Replicas that have taken over, and masters that have come in the place of one that is none any more. */
  #heirs({ changes }: Pick<Moved, 'changes'>): ReadonlyMap<NodeKey, NodeKey> {
    const heirs = new Map<NodeKey, NodeKey>();
    for (const { from, to } of changes as readonly { readonly from?: NodeKey; readonly to?: NodeKey }[]) {
      if (
        from !== undefined &&
        to !== undefined &&
        (this.#replicas.includes(to) || !this.topology.masters.includes(from))
      ) {
        heirs.set(to, from);
      }
    }
    return heirs;
  }

  #makeSure(): void {
    this.topology.refresh().then(
      () => {
        this.#superseded.clear();
        this.follow({ changes: [] });
      },
      () => {
        this.#superseded.clear(); // the next view will tell
      },
    );
  }
}

/** One subscription at all masters. */
class AllMastersSubscription {
  /** New masters that have not confirmed, with those that they replace. */
  readonly #replacing = new Map<NodeKey, NodeKey>();
  readonly #parts: Map<NodeKey, Subscription>;

  constructor(
    private readonly whole: Subscription,
    private readonly topology: Topology,
    private readonly owner: AllMastersListener,
  ) {
    this.#parts = whole.perNode ?? new Map<NodeKey, Subscription>();
  }

  start(): void {
    for (const node of this.topology.masters) {
      this.#newPart(node);
    }
  }

  /** Resolves when all parts stand. */
  async confirmed(onConfirmed: () => void): Promise<void> {
    let told = false;
    const confirmed = (): void => {
      if (!told) {
        told = true;
        onConfirmed();
      }
    };
    await Promise.all(
      [...this.#parts].map(async ([node, part]) => {
        try {
          await this.owner.want(part, confirmed);
        } catch (error) {
          if (this.#parts.get(node) === part) {
            throw error; // else the node has ceased to be a master meanwhile
          }
        }
      }),
    );
  }

  /** `heirs`: new masters, with the former masters whose slots they have. */
  follow(heirs: ReadonlyMap<NodeKey, NodeKey>, superseded: ReadonlySet<NodeKey>): void {
    const { masters } = this.topology;
    for (const [node, former] of this.#replacing) {
      if (heirs.has(former)) {
        this.#replacing.delete(node); // it is the master again
      }
    }
    for (const node of masters) {
      if (!this.#parts.has(node) && !superseded.has(node)) {
        this.#arrive(node, heirs.get(node));
      }
    }
    for (const node of [...this.#parts.keys()]) {
      if (!masters.includes(node) && ![...this.#replacing.values()].includes(node)) {
        this.#remove(node);
      }
    }
  }

  #arrive(node: NodeKey, former: NodeKey | undefined): void {
    const predecessor = former === undefined ? undefined : this.#parts.get(former);
    const since = new Date(this.topology.lookedAt);
    const cause = predecessor?.interruption ?? { since, node: former, reason: 'slot-moved' };
    const part = this.#newPart(node);
    if (former !== undefined && predecessor !== undefined) {
      this.#replacing.set(node, former);
    }
    this.owner.takeOver(part, cause, () => {
      this.#arrived(node);
    });
  }

  /** From now on this one is heard, and not the one before it. */
  #arrived(node: NodeKey): void {
    const former = this.#replacing.get(node);
    this.#replacing.delete(node);
    if (former !== undefined) {
      this.#remove(former);
    }
  }

  #remove(node: NodeKey): void {
    const part = this.#parts.get(node);
    this.#parts.delete(node);
    this.#arrived(node); // whom it was to replace has lost its place before
    if (part !== undefined) {
      void this.owner.release(part);
    }
  }

  #newPart(node: NodeKey): Subscription {
    const part = new Subscription(this.whole.kind, this.whole.name, node);
    part.handler = this.whole.handler;
    this.#parts.set(node, part);
    return part;
  }
}
