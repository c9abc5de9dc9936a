import type { NatMap } from 'ioredis';
import {
  AuthenticationError,
  ClusterPubSubError,
  ClusterUnreachableError,
  InvalidArgumentError,
  NotAClusterError,
} from '../common/errors.js';
import { hedge } from '../../util/hedged-attempts.js';
import { isTrustworthy, isOlder, preferNewer, readClusterInfo, type NodeView } from './node-view.js';
import type { NodeKey } from '../common/node-address.js';
import type { CommandConnectionPool } from '../connection/command-connection-pool.js';
import { RedisReplyError } from '../resp/reply.js';
import { errorMessage } from '../../util/error-message.js';
import { readClusterSlots } from './slot-map.js';

/** How long to wait for one node's answer before doing without it, in ms. */
export const NODE_REPLY_TIMEOUT_MS = 200;

/** How long nodes may take to contradict one whose news is older than ours, in ms. */
const LAST_WORD = 1_000;

/** Asks nodes who owns what, and how much their word is worth. */
export class TopologyFetcher {
  /** The nodes that have kept us waiting for an answer longer than {@link NODE_REPLY_TIMEOUT_MS}, and still do. */
  readonly #hanging = new Set<NodeKey>();

  constructor(
    private readonly connections: CommandConnectionPool,
    private readonly natMap: NatMap | undefined,
  ) {}

  /** The account of whichever of `candidates` answers first; they are asked in this order, those that hang last. */
  fetchFromAny(candidates: readonly NodeKey[]): Promise<NodeView> {
    const hangs = (node: NodeKey): number => Number(this.#hanging.has(node));
    const inOrder = [...candidates].sort((one, other) => hangs(one) - hangs(other));
    return hedge(inOrder, (node) => this.fetchFrom(node), NODE_REPLY_TIMEOUT_MS, mostTelling);
  }

  /** The account of this very node. */
  async fetchFrom(node: NodeKey): Promise<NodeView> {
    const late = setTimeout(() => this.#hanging.add(node), NODE_REPLY_TIMEOUT_MS);
    try {
      return await this.#ask(node);
    } catch (error) {
      throw describe(error, node);
    } finally {
      clearTimeout(late);
      this.#hanging.delete(node);
    }
  }

  /**
   * What to believe instead of a doubtful account: the first of the others' that is beyond doubt, or else the best of
   * all. Nodes that hang are not waited for, unless all that the others have is older than what we knew (`known`): a
   * cluster that was built anew says so with one voice, a master that was away while its replica took over does not.
   */
  confirmWithPeers(first: NodeView, others: readonly NodeKey[], known: number): Promise<NodeView> {
    return new Promise((resolve) => {
      let best = first;
      const unheard = new Set(others);
      const awaited = new Set(others.filter((node) => !this.#hanging.has(node)));
      const decide = (): void => {
        const heardEnough = awaited.size === 0 && !isOlder(best, known);
        if (unheard.size === 0 || heardEnough || isTrustworthy(best, known)) {
          finish();
        }
      };
      const finish = (): void => {
        clearTimeout(patience);
        clearTimeout(lastWord);
        resolve(best);
      };
      const patience = setTimeout(() => {
        awaited.clear();
        decide();
      }, NODE_REPLY_TIMEOUT_MS);
      const lastWord = setTimeout(finish, LAST_WORD);
      const heard = (node: NodeKey): void => {
        unheard.delete(node);
        awaited.delete(node);
        decide();
      };
      for (const node of others) {
        this.fetchFrom(node).then(
          (account) => {
            best = preferNewer(best, account);
            heard(node);
          },
          () => {
            heard(node);
          },
        );
      }
      decide();
    });
  }

  async #ask(node: NodeKey): Promise<NodeView> {
    const connection = await this.connections.connect(node);
    // One round trip. The epoch comes first, so that the slots are not older than it; it may be forbidden to us.
    const info = connection.call('CLUSTER', 'INFO').catch(() => undefined);
    const view = readClusterSlots(await connection.call('CLUSTER', 'SLOTS'), node, this.natMap);
    if (view.masters.length === 0) {
      throw new ClusterUnreachableError(`The cluster that ${node} belongs to has no slots assigned yet.`);
    }
    return { node, view, ...readClusterInfo(await info) };
  }
}

/** What does not mend itself while one waits. */
export function isFinal(error: unknown): boolean {
  return (
    error instanceof NotAClusterError ||
    error instanceof AuthenticationError ||
    error instanceof InvalidArgumentError
  );
}

/** How many nodes are told of where none answers. */
const MOST_TOLD = 3;

/** A wrong password says more than that some other node is down. */
function mostTelling(errors: readonly unknown[]): Error {
  const error = errors.find(isFinal) ?? errors[0];
  if (!(error instanceof Error)) {
    return new ClusterUnreachableError('The startup nodes name no address.');
  }
  const told = [...new Set(errors.map(errorMessage))];
  if (isFinal(error) || told.length === 1) {
    return error;
  }
  // They may fail for different reasons, of which one matters.
  const more = told.length > MOST_TOLD ? ` (and ${String(told.length - MOST_TOLD)} more)` : '';
  return new ClusterUnreachableError(
    `None of ${String(errors.length)} nodes answers: ${told.slice(0, MOST_TOLD).join('; ')}${more}`,
    { cause: error },
  );
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
  const message = errorMessage(error);
  return new ClusterUnreachableError(`Asking ${node} for the slots failed: ${message}`, { cause: error });
}
