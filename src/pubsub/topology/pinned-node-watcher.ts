import type { NodeKey } from '../common/node-address.js';
import type { Topology } from './topology.js';

/**
 * How long the cluster's account of itself may leave a node out before the node counts as gone, in ms: a master that is
 * demoted is neither a master nor a replica for a moment.
 */
const GRACE = 2_000;

export interface PinnedNodeWatcherListener {
  /** The cluster has not known the node since then. Its connection may be as well as ever, and bring nothing more. */
  gone(node: NodeKey, since: Date): void;
  /** The cluster knows the node again. */
  back(node: NodeKey): void;
}

/** Watches over the nodes that users have chosen: one that leaves the cluster alive ends no connection. */
export class PinnedNodeWatcher {
  readonly #missing = new Map<NodeKey, NodeJS.Timeout>();

  constructor(
    private readonly topology: Topology,
    private readonly chosen: () => Iterable<NodeKey>,
    private readonly events: PinnedNodeWatcherListener,
  ) {}

  has(node: NodeKey): boolean {
    return this.#missing.has(node);
  }

  /** The view has changed. */
  look(): void {
    for (const [node, timer] of this.#missing) {
      if (this.topology.knows(node)) {
        clearTimeout(timer);
        this.#missing.delete(node);
        this.events.back(node);
      }
    }
    for (const node of this.chosen()) {
      if (!this.topology.knows(node) && !this.#missing.has(node)) {
        this.#watch(node, new Date(this.topology.lookedAt)); // when it was still there
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
    const makeSure = (): void => {
      this.topology.refresh().then(
        () => {
          if (this.#missing.has(node)) {
            this.events.gone(node, since);
          }
        },
        () => {
          if (this.#missing.has(node)) {
            this.#watch(node, since); // nobody answers, so nobody can tell
          }
        },
      );
    };
    this.#missing.set(node, setTimeout(makeSure, GRACE).unref());
  }
}
