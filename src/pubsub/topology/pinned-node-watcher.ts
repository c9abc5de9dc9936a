import type { NodeKey } from '../common/node-address.js';
import type { Topology } from './topology.js';

/** How long a node may be missing from the topology: a demoted master is neither a master nor a replica for a moment. */
const MISSING_GRACE_MS = 2_000;

export interface PinnedNodeWatcherListener {
  /** The node left the cluster after `since`. Its connection may stay open, and deliver nothing more. */
  gone(node: NodeKey, since: Date): void;
}

/** Watches the nodes that users have chosen: a node that is removed from the cluster does not end its connections. */
export class PinnedNodeWatcher {
  readonly #missing = new Map<NodeKey, NodeJS.Timeout>();

  constructor(
    private readonly topology: Topology,
    private readonly pinnedNodes: () => Iterable<NodeKey>,
    private readonly listener: PinnedNodeWatcherListener,
  ) {}

  has(node: NodeKey): boolean {
    return this.#missing.has(node);
  }

  /** Compares the nodes with the changed topology. */
  check(): void {
    for (const [node, timer] of this.#missing) {
      if (this.topology.knows(node)) {
        clearTimeout(timer);
        this.#missing.delete(node);
      }
    }
    for (const node of this.pinnedNodes()) {
      if (!this.topology.knows(node) && !this.#missing.has(node)) {
        this.#watch(node, new Date(this.topology.lookedAt)); // when it was last seen
      }
    }
  }

  close(): void {
    for (const timer of this.#missing.values()) {
      clearTimeout(timer);
    }
    this.#missing.clear();
  }

  #watch(node: NodeKey, since: Date): void {
    const confirm = (): void => {
      this.topology.refresh().then(
        () => {
          if (this.#missing.has(node)) {
            this.listener.gone(node, since);
          }
        },
        () => {
          if (this.#missing.has(node)) {
            this.#watch(node, since); // no node replied: unknown
          }
        },
      );
    };
    this.#missing.set(node, setTimeout(confirm, MISSING_GRACE_MS).unref());
  }
}
