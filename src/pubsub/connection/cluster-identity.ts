import { type ClusterPubSubError, ClusterUnreachableError, ForeignNodeError } from '../common/errors.js';
import type { NodeKey } from '../common/node-address.js';
import { forgetOld } from './node-failures.js';

/**
 * A node that was found to be foreign is not contacted again for this time, in ms: neither load nor a handshake with
 * credentials for each retry, and still soon enough for a node of ours that gets the address back.
 */
const FOREIGN_FOR_MS = 500;

/** The node ids of a cluster, as one of its nodes lists them: a set, or a map with their addresses. */
export type NodeIds = Pick<ReadonlySet<string>, 'has' | 'size' | 'keys'>;

/** Asks the node at the other end of a connection for `CLUSTER MYID` or `CLUSTER SLOTS`. */
export type AskCluster = (subcommand: 'MYID' | 'SLOTS') => Promise<unknown>;

interface Sighting {
  readonly error: ForeignNodeError | ClusterUnreachableError;
  readonly cluster: NodeIds;
  /** By the monotonic clock, in ms. */
  readonly at: number;
}

/**
 * Which cluster ours is: the ids of its nodes. An address may belong to another cluster tomorrow, an id never does.
 *
 * Empty until the first view of the cluster is known; until then every node counts. A node belongs to the cluster if its
 * own id is known; a node or view does if it lists at least half of the known ids, or most of the masters: that is what
 * the other nodes of a cluster know of each other, so a node that replaces one of ours, with a new id at an old address,
 * counts as well. See docs/adr/0020.
 */
export class ClusterIdentity {
  #ids: NodeIds = new Set();
  /** Those of them that are masters with slots. */
  #masters: NodeIds = new Set();
  /** Where the nodes are, or were last. */
  #addresses: ReadonlyMap<string, NodeKey> = new Map();
  readonly #foreign = new Map<NodeKey, Sighting>();
  #onForeign: ((error: ForeignNodeError) => void) | undefined;

  /** Calls `listener` for each foreign node, once until its address is one of ours again. */
  onForeign(listener: (error: ForeignNodeError) => void): void {
    this.#onForeign = listener;
  }

  /** The nodes that are the cluster from now on, and where those with slots are. */
  learn(nodes: ReadonlyMap<string, NodeKey>, masters: readonly NodeKey[]): void {
    this.#ids = nodes;
    this.#masters = new Set([...nodes].filter(([, node]) => masters.includes(node)).map(([id]) => id));
    this.#addresses = nodes;
  }

  /** Where the node is, or was when the others last knew it. */
  addressOf(id: string): NodeKey | undefined {
    return this.#addresses.get(id);
  }

  /** The cluster is another one from now on. */
  replace(ids: NodeIds): void {
    this.#ids = ids;
    this.#masters = new Set();
    this.#foreign.clear();
  }

  /** The nodes that were found in the last `ms` to be foreign, or not to know most of the cluster. */
  foreignWithin(ms: number): readonly ClusterPubSubError[] {
    const since = performance.now() - ms;
    return [...this.#foreign.values()].filter(({ at }) => at >= since).map(({ error }) => error);
  }

  /** The cluster of the foreign node at this address, if it was seen in the last `ms`. */
  foreignClusterAt(node: NodeKey, ms: number): NodeIds | undefined {
    const sighting = this.#foreign.get(node);
    return sighting !== undefined && sighting.at >= performance.now() - ms ? sighting.cluster : undefined;
  }

  /** @throws {@link ForeignNodeError} if the node was found to be foreign a moment ago */
  assertNotForeign(node: NodeKey): void {
    const sighting = this.#foreign.get(node);
    if (sighting?.error instanceof ForeignNodeError && performance.now() - sighting.at < FOREIGN_FOR_MS) {
      throw sighting.error;
    }
  }

  /**
   * Finds out, at the cost of one short command, whether a new connection leads to a node of the cluster.
   *
   * @throws {@link ForeignNodeError}
   */
  async verify(node: NodeKey, ask: AskCluster): Promise<void> {
    if (this.#ids.size === 0) {
      return;
    }
    const id = await ask('MYID').catch(() => undefined); // the ACL may forbid it
    if (typeof id === 'string' && this.#ids.has(id)) {
      this.#foreign.delete(node);
      return;
    }
    this.check(node, readNodeIds(await ask('SLOTS')), typeof id === 'string' ? id : undefined);
  }

  /**
   * Checks the ids that a node lists. One that lists some of ours, but too few, is not foreign: it was made to forget the
   * others. But its view does not count.
   *
   * @param id of the node itself, where it is known
   * @throws {@link ForeignNodeError} if it lists none of ours
   * @throws {@link ClusterUnreachableError} if it lists too few
   */
  check(node: NodeKey, ids: NodeIds, id?: string): void {
    if (this.#ids.size === 0 || this.#isListedIn(ids)) {
      this.#foreign.delete(node);
      return;
    }
    if (ids.size === 0) {
      throw new ClusterUnreachableError(
        `The node at ${node} is not part of the cluster (yet): it knows no slots.`,
      );
    }
    throw this.report(node, ids, id);
  }

  /** Notes that the node lists these ids, which are not those of the cluster. */
  report(node: NodeKey, ids: NodeIds, id?: string): Sighting['error'] {
    const now = performance.now();
    forgetOld(this.#foreign, now);
    const former = this.#foreign.get(node);
    const shared = countShared(this.#ids, ids);
    const isForeign = shared === 0;
    const isNews =
      former === undefined ||
      isForeign !== former.error instanceof ForeignNodeError ||
      !isSameCluster(former.cluster, ids);
    const error = !isNews
      ? former.error
      : isForeign
        ? new ForeignNodeError(node, id ?? ([...ids.keys()][0] as string))
        : new ClusterUnreachableError(
            `The node at ${node} lists ${String(shared)} of the ${String(this.#ids.size)} nodes of the cluster: its view does not count.`,
          );
    this.#foreign.set(node, { error, cluster: ids, at: now });
    if (isNews && error instanceof ForeignNodeError) {
      this.#onForeign?.(error);
    }
    return error;
  }

  /**
   * Nodes leave out the replicas that have failed, which may be most of the cluster; masters with slots stay listed. One
   * master is not enough where others are listed: `CLUSTER RESET SOFT` lets a node take its id to another cluster.
   */
  #isListedIn(ids: NodeIds): boolean {
    const shared = countShared(this.#ids, ids);
    const masters = countShared(this.#masters, ids);
    return (
      shared * 2 >= this.#ids.size ||
      (masters * 2 > this.#masters.size && (masters > 1 || shared === ids.size))
    );
  }
}

/** True if both lists are of one cluster. Nodes that have just met, or were made to forget, list fewer. */
export function isSameCluster(one: NodeIds, other: NodeIds): boolean {
  return countShared(one, other) * 2 >= Math.min(one.size, other.size);
}

function countShared(one: NodeIds, other: NodeIds): number {
  let shared = 0;
  for (const id of one.keys()) {
    shared += other.has(id) ? 1 : 0;
  }
  return shared;
}

/** The ids in the reply to `CLUSTER SLOTS`, strings or bytes: `[first, last, [host, port, id, …], …]…`. */
function readNodeIds(reply: unknown): NodeIds {
  const ids = new Set<string>();
  for (const range of Array.isArray(reply) ? (reply as unknown[]) : []) {
    for (const node of Array.isArray(range) ? range.slice(2) : []) {
      const id: unknown = Array.isArray(node) ? node[2] : undefined;
      if (typeof id === 'string' || Buffer.isBuffer(id)) {
        ids.add(id.toString());
      }
    }
  }
  return ids;
}
