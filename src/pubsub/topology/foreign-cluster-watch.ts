import { ClusterReplacedError, type ClusterPubSubError } from '../common/errors.js';
import { isSameCluster, type NodeIds } from '../connection/cluster-identity.js';
import type { NodeKey } from '../common/node-address.js';
import type { CommandConnectionPool } from '../connection/command-connection-pool.js';
import type { StartupNodes } from '../connection/startup-nodes.js';
import type { NodeView } from './node-view.js';
import { isWhole } from './slot-map.js';

/**
 * For how long no node of the cluster may answer, while the startup nodes agree on another, before that is the cluster:
 * longer than a restart of all nodes takes, or the pods of two clusters to swap addresses.
 */
const GONE_FOR_GOOD_MS = 15_000;

/** A foreign node that has not been seen for this long is no longer named. */
const SEEN_WITHIN_MS = 5_000;

/** Startup nodes that are of one cluster, which is not ours. */
interface Agreement {
  readonly nodes: readonly NodeKey[];
  readonly cluster: NodeIds;
}

/**
 * Tells "a foreign node took an address while the cluster is down" from "all nodes were replaced", when no node of the
 * cluster answers and foreign ones do. See docs/adr/0020.
 */
export class ForeignClusterWatch {
  /** No node of the cluster has answered when that was last tried, and foreign ones have. */
  #isSuspected = false;
  /** What the startup nodes agree on, and since when, by the monotonic clock. */
  #agreement: (Agreement & { readonly since: number }) | undefined;
  #onReplaced: ((warning: ClusterReplacedError) => void) | undefined;

  constructor(
    private readonly connections: CommandConnectionPool,
    private readonly startupNodes: StartupNodes,
  ) {}

  /** Calls `listener` when the startup nodes have become the cluster, because all its nodes were replaced. */
  onReplaced(listener: (warning: ClusterReplacedError) => void): void {
    this.#onReplaced = listener;
  }

  /** While foreign nodes alone answer: those that were seen lately. */
  get nodes(): readonly ClusterPubSubError[] {
    return this.#isSuspected ? this.connections.identity.foreignWithin(SEEN_WITHIN_MS) : [];
  }

  readonly isSuspected = (): boolean => this.#isSuspected;

  /** The nodes of this view are the cluster. One that is not whole, of a cluster that has to be, may not list all. */
  learn({ slotMap, works }: NodeView): void {
    if (isWhole(slotMap) || works === true) {
      this.connections.identity.learn(slotMap.ids, slotMap.masters);
    }
  }

  /** A node of the cluster has answered. */
  answered(): void {
    this.#isSuspected = false;
    this.#agreement = undefined;
  }

  /**
   * No node of the cluster has answered, though all known ones and the startup nodes were asked. Resolves to true if the
   * startup nodes are the cluster from now on.
   */
  async unanswered(): Promise<boolean> {
    const { identity } = this.connections;
    const now = performance.now();
    this.#isSuspected = identity.foreignWithin(SEEN_WITHIN_MS).length > 0;
    const agreement = this.#isSuspected ? await this.#findAgreement() : undefined;
    const former = this.#agreement;
    if (
      agreement === undefined ||
      former === undefined ||
      !isSameCluster(former.cluster, agreement.cluster)
    ) {
      this.#agreement = agreement && { ...agreement, since: now };
      return false;
    }
    if (now - former.since < GONE_FOR_GOOD_MS) {
      return false;
    }
    identity.replace(agreement.cluster);
    this.answered();
    const silence = `${String(Math.round((now - former.since) / 1_000))} s`;
    this.#onReplaced?.(new ClusterReplacedError(agreement.nodes.join(', '), silence));
    return true;
  }

  /** More than half of the startup nodes have to answer, and all that answer have to be of one cluster. */
  async #findAgreement(): Promise<Agreement | undefined> {
    const { identity } = this.connections;
    const addresses = await this.startupNodes.configured().catch(() => []);
    const voters = addresses.flatMap((node) => {
      const cluster = identity.foreignClusterAt(node, SEEN_WITHIN_MS);
      return cluster === undefined ? [] : [{ node, cluster }];
    });
    const cluster = voters[0]?.cluster;
    const isAgreed =
      cluster !== undefined &&
      voters.length * 2 > addresses.length &&
      voters.every((voter) => isSameCluster(voter.cluster, cluster));
    return isAgreed ? { nodes: voters.map(({ node }) => node), cluster } : undefined;
  }
}
