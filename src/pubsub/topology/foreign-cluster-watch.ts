import { settledWithin } from '../../util/promises.js';
import { ClusterReplacedError, type ClusterPubSubError } from '../common/errors.js';
import { isSameCluster, type NodeIds } from '../connection/cluster-identity.js';
import type { NodeKey } from '../common/node-address.js';
import type { CommandConnectionPool } from '../connection/command-connection-pool.js';
import type { StartupNodes } from '../connection/startup-nodes.js';
import type { NodeView } from './node-view.js';
import { isWhole } from './slot-map.js';

/**
 * For how long no node of the cluster may answer, while others do at its addresses, before these can be the cluster: longer
 * than a restart of all nodes takes, or the pods of two clusters to swap addresses.
 */
const GONE_FOR_GOOD_MS = 15_000;

/** The startup nodes have this long to answer when they decide. */
const VOTE_TIMEOUT_MS = 1_000;

/** A foreign node that has not been seen for this long is no longer named. */
const SEEN_WITHIN_MS = 5_000;

/**
 * Tells "a foreign node took an address while the cluster is down" from "all nodes were replaced", when no node of the
 * cluster answers and foreign ones do. See docs/adr/0020.
 */
export class ForeignClusterWatch {
  /** Since when, by the monotonic clock, foreign nodes alone have answered. */
  #since: number | undefined;
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
    return this.#since === undefined ? [] : this.connections.identity.foreignWithin(SEEN_WITHIN_MS);
  }

  readonly isSuspected = (): boolean => this.#since !== undefined;

  /** The nodes of this view are the cluster. One that is not whole, of a cluster that has to be, may not list all. */
  learn({ slotMap, works }: NodeView): void {
    if (isWhole(slotMap) || works === true) {
      this.connections.identity.learn(slotMap.ids);
    }
  }

  /** A node of the cluster has answered. */
  answered(): void {
    this.#since = undefined;
  }

  /** No node of the cluster has answered. Resolves to true if the startup nodes are the cluster from now on. */
  async unanswered(): Promise<boolean> {
    const { identity } = this.connections;
    const now = performance.now();
    if (this.#since === undefined) {
      this.#since = identity.foreignWithin(SEEN_WITHIN_MS).length > 0 ? now : undefined;
      return false;
    }
    if (now - this.#since < GONE_FOR_GOOD_MS) {
      return false;
    }
    const elected = await this.#elect();
    if (elected === undefined) {
      return false;
    }
    identity.replace(elected.cluster);
    const silence = `${String(Math.round((now - this.#since) / 1_000))} s`;
    this.#since = undefined;
    this.#onReplaced?.(new ClusterReplacedError(elected.nodes.join(', '), silence));
    return true;
  }

  /** More than half of the startup nodes have to answer, and all that answer have to be of one cluster, not ours. */
  async #elect(): Promise<{ readonly nodes: readonly string[]; readonly cluster: NodeIds } | undefined> {
    const { connections, startupNodes } = this;
    const addresses = await startupNodes.configured();
    const attempts = addresses.map((node) => connections.connect(node));
    await settledWithin(VOTE_TIMEOUT_MS, Promise.allSettled(attempts));
    const voters = addresses.flatMap((node) => {
      const cluster = connections.identity.foreignClusterAt(node, SEEN_WITHIN_MS);
      return cluster === undefined ? [] : [{ node, cluster }];
    });
    const isOurs = (node: NodeKey): boolean =>
      connections.get(node) !== undefined && !voters.some((voter) => voter.node === node);
    const cluster = voters[0]?.cluster;
    const isAgreed =
      cluster !== undefined &&
      voters.length * 2 > addresses.length &&
      voters.every((voter) => isSameCluster(voter.cluster, cluster));
    return isAgreed && !addresses.some(isOurs)
      ? { nodes: voters.map(({ node }) => node), cluster }
      : undefined;
  }
}
