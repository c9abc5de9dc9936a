import { shuffle } from '../../util/arrays.js';
import { errorMessage } from '../../util/error-message.js';
import { hedge } from '../../util/hedged-attempts.js';
import {
  AuthenticationError,
  ClusterPubSubError,
  ClusterUnreachableError,
  ForeignNodeError,
  InvalidArgumentError,
  NotAClusterError,
} from '../common/errors.js';
import type { NodeKey } from '../common/node-address.js';
import type { CommandConnection } from '../connection/command-connection.js';
import type { CommandConnectionPool } from '../connection/command-connection-pool.js';
import type { StartupNodes } from '../connection/startup-nodes.js';
import { RedisReplyError } from '../resp/reply.js';
import { chooseFirstView } from './first-view.js';
import { isOlder, isTrustworthy, preferNewer, readClusterInfo, type NodeView } from './node-view.js';
import { SlotMapCheck } from './slot-map-check.js';
import { readClusterSlots, type SlotMap } from './slot-map.js';

/** How long to wait for the reply of one node before going on without it. */
export const NODE_REPLY_TIMEOUT_MS = 200;

/** How long nodes may take to contradict a view that is older than the known one. */
const CONTRADICTION_TIMEOUT_MS = 1_000;

const MAX_ERRORS_IN_MESSAGE = 3;

/** Fetches views of the slots from nodes, and selects the one to trust. */
export class TopologyFetcher {
  /** Nodes that have not replied within {@link NODE_REPLY_TIMEOUT_MS}, and still have not. */
  readonly #overdue = new Set<NodeKey>();
  readonly #check = new SlotMapCheck();
  #queried: readonly NodeKey[] = [];
  #failure: unknown;
  #isUnderWay = false;
  /** Views of startup nodes that belong to another cluster than the most. */
  readonly #outvoted: NodeView[] = [];

  constructor(
    private readonly connections: CommandConnectionPool,
    private readonly startupNodes: StartupNodes,
  ) {}

  /** Why the last {@link fetch} failed, or what keeps one under way from a result; undefined if it succeeded. */
  get failure(): unknown {
    const failures = this.#queried.flatMap((node) => this.connections.failureOf(node) ?? []);
    return (
      this.#failure ?? (this.#isUnderWay && failures.length > 0 ? mostSpecificError(failures) : undefined)
    );
  }

  /** The nodes of the last {@link fetch}: text for an error. */
  get asked(): string {
    return this.#queried.length === 0 ? 'No node was asked yet.' : `Asked: ${this.#queried.join(', ')}.`;
  }

  /** Fetches the view of the first node to reply. `newOwner`, of a slot that moved, is queried first: it is the first to know. */
  async fetch(known: SlotMap, newOwner: NodeKey | undefined): Promise<NodeView> {
    this.#isUnderWay = true;
    try {
      const startup = known.masters.length === 0 ? await this.startupNodes.addresses() : [];
      const first = newOwner === undefined ? [] : [newOwner];
      const candidates = [...new Set([...first, ...this.#nodesOf(known), ...startup])];
      this.#queried = candidates;
      const fetchFrom = (node: NodeKey): Promise<NodeView> => this.fetchFrom(node);
      const view = await this.#fromAny(candidates, fetchFrom).catch(async (error: unknown) => {
        // Every node may have a new address (a cluster restarted behind a name).
        const others = (await this.startupNodes.addresses()).filter((node) => !candidates.includes(node));
        if (others.length === 0) {
          throw error;
        }
        return this.#fromAny(others, fetchFrom);
      });
      this.#failure = undefined;
      return known.masters.length === 0 ? await this.#chooseFirst(view) : view;
    } catch (error) {
      this.#failure = error;
      throw error;
    } finally {
      this.#isUnderWay = false;
    }
  }

  /** Reports the startup nodes that turned out to be foreign when the cluster was found. */
  reportOutvoted(): void {
    for (const { node, slotMap } of this.#outvoted.splice(0)) {
      this.connections.identity.report(node, slotMap.ids);
    }
  }

  /** Whether any node of the known slot map agrees with it, without the facts that show how far to trust it. */
  agrees(known: SlotMap): Promise<boolean> {
    return this.#fromAny(this.#nodesOf(known), (node) => this.agreesAt(node, known));
  }

  /** Whether this node does. */
  agreesAt(node: NodeKey, known: SlotMap): Promise<boolean> {
    return this.#from(node, async () => {
      const connection = await this.connections.connect(node);
      return this.#check.agrees(connection, known, (asked) => this.#querySlots(asked));
    });
  }

  /** Fetches the view of this node. */
  fetchFrom(node: NodeKey): Promise<NodeView> {
    return this.#from(node, () => this.#query(node));
  }

  async #from<T>(node: NodeKey, query: () => Promise<T>): Promise<T> {
    const timer = setTimeout(() => this.#overdue.add(node), NODE_REPLY_TIMEOUT_MS);
    try {
      return await query();
    } catch (error) {
      throw describe(error, node);
    } finally {
      clearTimeout(timer);
      this.#overdue.delete(node);
    }
  }

  /**
   * Returns `view`, or a better one of another node if `view` is not trustworthy: a node that was reset, or cut off and made
   * to forget, knows only its own slots, and one that was away for a while still claims to be the master that it was.
   */
  async confirm(view: NodeView, known: SlotMap, epoch: number): Promise<NodeView> {
    if (isTrustworthy(view, epoch)) {
      return view;
    }
    const startup = await this.startupNodes.addresses().catch((): NodeKey[] => []);
    const others = new Set([...this.#nodesOf(known), ...startup]);
    others.delete(view.node);
    return this.#confirmWithPeers(view, [...others], epoch);
  }

  /** Queries `candidates` in this order, overdue ones last. */
  #fromAny<T>(candidates: readonly NodeKey[], query: (node: NodeKey) => Promise<T>): Promise<T> {
    const rank = (node: NodeKey): number => Number(this.#overdue.has(node));
    const inOrder = [...candidates].sort((one, other) => rank(one) - rank(other));
    return hedge(inOrder, query, NODE_REPLY_TIMEOUT_MS, mostSpecificError);
  }

  /**
   * Resolves to the first trustworthy view of `peers`, or else to the best of all. Overdue nodes are not waited for, unless
   * all other views are older than the known epoch: in a cluster that was built anew all nodes agree on a lower epoch,
   * whereas a master that was away while its replica took over is alone with it.
   */
  #confirmWithPeers(first: NodeView, peers: readonly NodeKey[], knownEpoch: number): Promise<NodeView> {
    return new Promise((resolve) => {
      let best = first;
      const open = new Set(peers);
      const awaited = new Set(peers.filter((node) => !this.#overdue.has(node)));
      const finish = (): void => {
        clearTimeout(replyTimer);
        clearTimeout(contradictionTimer);
        resolve(best);
      };
      const decide = (): void => {
        const isEnough = awaited.size === 0 && !isOlder(best, knownEpoch);
        if (open.size === 0 || isEnough || isTrustworthy(best, knownEpoch)) {
          finish();
        }
      };
      const replyTimer = setTimeout(() => {
        awaited.clear();
        decide();
      }, NODE_REPLY_TIMEOUT_MS);
      const contradictionTimer = setTimeout(finish, CONTRADICTION_TIMEOUT_MS);
      for (const node of peers) {
        void this.fetchFrom(node)
          .then(
            (view) => {
              best = preferNewer(best, view);
            },
            () => undefined,
          )
          .then(() => {
            open.delete(node);
            awaited.delete(node);
            decide();
          });
      }
      decide();
    });
  }

  async #chooseFirst(first: NodeView): Promise<NodeView> {
    const startup = await this.startupNodes.configured();
    const fetchFrom = (node: NodeKey): Promise<NodeView> => this.fetchFrom(node);
    const { view, foreign } = await chooseFirstView(first, startup, fetchFrom, NODE_REPLY_TIMEOUT_MS);
    this.#outvoted.push(...foreign);
    return view;
  }

  /** All known nodes: connected masters first, replicas last, because they learn of moves later. */
  #nodesOf({ masters, replicas }: SlotMap): readonly NodeKey[] {
    const connected = new Set(this.connections.nodes);
    return [
      ...shuffle(masters.filter((node) => connected.has(node))),
      ...shuffle(masters.filter((node) => !connected.has(node))),
      ...replicas,
    ];
  }

  async #query(node: NodeKey): Promise<NodeView> {
    const connection = await this.connections.connect(node);
    // One round trip. The epoch comes first, so that the slots are not older than it; the ACL may forbid it.
    const info = connection.call('CLUSTER', 'INFO').catch(() => undefined);
    const slotMap = await this.#querySlots(connection);
    return { node, slotMap, ...readClusterInfo(await info) };
  }

  async #querySlots(connection: CommandConnection): Promise<SlotMap> {
    const { node } = connection;
    const { identity } = this.connections;
    const slots = await connection.call('CLUSTER', 'SLOTS');
    const slotMap = readClusterSlots(slots, node, this.startupNodes.clusterOptions.natMap, (id) =>
      identity.addressOf(id),
    );
    if (slotMap.masters.length === 0) {
      throw new ClusterUnreachableError(`The cluster of ${node} has no slots assigned yet.`);
    }
    try {
      identity.check(node, slotMap.ids);
    } catch (error) {
      if (error instanceof ForeignNodeError) {
        connection.close(); // it has changed clusters since the connection was opened
      }
      throw error;
    }
    return slotMap;
  }
}

/** True for errors that do not pass with time. */
export function isFinal(error: unknown): boolean {
  return (
    error instanceof NotAClusterError ||
    error instanceof AuthenticationError ||
    error instanceof InvalidArgumentError
  );
}

/** A wrong password is more specific than another node that is down. */
function mostSpecificError(errors: readonly unknown[]): Error {
  const error = errors.find(isFinal) ?? errors[0];
  if (!(error instanceof Error)) {
    return new ClusterUnreachableError('The startup nodes have no address.');
  }
  const reasons = [...new Set(errors.map(errorMessage))];
  if (isFinal(error) || reasons.length === 1) {
    return error;
  }
  // Nodes may fail for different reasons, of which one matters.
  const left = reasons.length - MAX_ERRORS_IN_MESSAGE;
  const more = left > 0 ? ` (and ${String(left)} more)` : '';
  const shown = reasons.slice(0, MAX_ERRORS_IN_MESSAGE).join('; ');
  return new ClusterUnreachableError(`None of ${String(errors.length)} nodes replied: ${shown}${more}`, {
    cause: error,
  });
}

function describe(error: unknown, node: NodeKey): unknown {
  if (error instanceof ClusterPubSubError) {
    return error;
  }
  if (error instanceof RedisReplyError) {
    if (/cluster support disabled/i.test(error.message)) {
      return new NotAClusterError(node, { cause: error });
    }
    if (error.kind === 'NOPERM' || error.kind === 'NOAUTH') {
      return new AuthenticationError(node, error.message, { cause: error });
    }
  }
  return new ClusterUnreachableError(`CLUSTER SLOTS at ${node} failed: ${errorMessage(error)}`, {
    cause: error,
  });
}
