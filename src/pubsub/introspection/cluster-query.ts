import {
  ClosedError,
  ClusterUnreachableError,
  CommandRefusedError,
  InvalidArgumentError,
  UnknownNodeError,
} from '../common/errors.js';
import { hedge } from '../../util/hedged-attempts.js';
import { readNodeReference, type NodeKey, type NodeReference } from '../common/node-address.js';
import type { CommandConnectionPool } from '../connection/command-connection-pool.js';
import type { SlotlessNodes, SlotlessNode } from '../topology/slotless-nodes.js';
import type { Payload } from '../common/messages.js';
import { RedisReplyError, type Reply } from '../resp/reply.js';
import type { Topology } from '../topology/topology.js';
import { errorMessage } from '../../util/error-message.js';
import { NODE_REPLY_TIMEOUT_MS } from '../topology/topology-fetcher.js';

/** All nodes, one role of them, or those that are named. Each that is named has to answer. */
// eslint-disable-next-line @typescript-eslint/no-redundant-type-constituents -- the words are for readers and editors
export type NodeSelection = 'all' | 'all-masters' | 'all-replicas' | NodeReference | readonly NodeReference[];

/** Asks the nodes of the cluster; by default all, replicas too: a foreign client may have subscribed at any of them. */
export class ClusterQuery {
  constructor(
    private readonly topology: Topology,
    private readonly connections: CommandConnectionPool,
    private readonly withoutSlots: SlotlessNodes,
  ) {}

  /**
   * Asks each for `PUBSUB …`. A node without slots of its own (a replica, mostly) that cannot be reached has nobody to
   * count; a master fails the question.
   */
  async pubsub(
    nodes: NodeSelection | undefined,
    ...args: readonly Payload[]
  ): Promise<ReadonlyMap<NodeKey, Reply>> {
    const { masters, replicas, named = [], others } = await this.#select(nodes);
    const answers = new Map<NodeKey, Reply>();
    const askIfThere = async (node: NodeKey, asking: Promise<Reply>): Promise<void> => {
      try {
        answers.set(node, await asking);
      } catch (error) {
        if (!(error instanceof ClusterUnreachableError)) {
          throw error;
        }
      }
    };
    await Promise.all([
      ...masters.map(async (node) => answers.set(node, await this.#ask(node, args))),
      ...named.map(async (other) => answers.set(other.node, await this.#askOther(other, args))),
      ...replicas.map((node) => askIfThere(node, this.#ask(node, args))),
      others.then((found) =>
        Promise.all(found.map((other) => askIfThere(other.node, this.#askOther(other, args)))),
      ),
    ]);
    return answers;
  }

  /** Whether the cluster knows a command. Where the ACL forbids the question, it is taken to. */
  supports(command: string): Promise<boolean> {
    const { masters, replicas } = this.topology;
    // Any node knows; one that is down must not hide what the others can tell.
    return hedge(
      [...new Set([...this.connections.nodes, ...masters, ...replicas])],
      async (node) => {
        const connection = await this.connections.connect(node);
        try {
          const reply = await connection.call('COMMAND', 'INFO', command);
          return !Array.isArray(reply) || reply[0] !== null;
        } catch (error) {
          if (error instanceof RedisReplyError) {
            return true;
          }
          throw noAnswer('COMMAND INFO', error);
        }
      },
      NODE_REPLY_TIMEOUT_MS,
      ([error]) => (error instanceof Error ? error : noAnswer('COMMAND INFO', 'no node is known')),
    );
  }

  /** Those that have to answer, and those that may be away. */
  async #select(nodes: NodeSelection = 'all'): Promise<Selected> {
    const { masters, replicas } = this.topology;
    const others = async (role?: SlotlessNode['role']): Promise<readonly SlotlessNode[]> =>
      (await this.withoutSlots.find()).filter((other) => role === undefined || other.role === role);
    switch (nodes) {
      case 'all':
        return { masters, replicas, others: others() };
      case 'all-masters':
        return { masters, replicas: [], others: others('master') };
      case 'all-replicas':
        return { masters: [], replicas, others: others('replica') };
      default: {
        const named = [...new Set((Array.isArray(nodes) ? nodes : [nodes]).map(readNodeReference))];
        if (named.length === 0) {
          throw new InvalidArgumentError('nodes is an empty list: there is nobody to ask.');
        }
        const isUnknown = named.some((node) => !this.topology.knows(node));
        const slotless = (isUnknown ? await others() : []).filter(({ node }) => named.includes(node));
        const masters = named.filter((node) => !slotless.some((other) => other.node === node));
        await assertNodes(this.topology, masters);
        return { masters, named: slotless, replicas: [], others: Promise.resolve([]) };
      }
    }
  }

  async #ask(node: NodeKey, args: readonly Payload[]): Promise<Reply> {
    const connection = await this.connections.connect(node);
    try {
      return await connection.call('PUBSUB', ...args);
    } catch (error) {
      throw described(error, node, args);
    }
  }

  async #askOther(other: SlotlessNode, args: readonly Payload[]): Promise<Reply> {
    try {
      return await this.withoutSlots.ask(other, (connection) => connection.call('PUBSUB', ...args));
    } catch (error) {
      throw described(error, other.node, args);
    }
  }
}

interface Selected {
  readonly masters: readonly NodeKey[];
  readonly replicas: readonly NodeKey[];
  /** Those of `others` that have to answer, as masters do. */
  readonly named?: readonly SlotlessNode[];
  /** What the view of slots does not show. Asking for it keeps nobody else waiting. */
  readonly others: Promise<readonly SlotlessNode[]>;
}

/** @throws {@link UnknownNodeError} for a node that the cluster does not have, by its newest account */
export async function assertNodes(topology: Topology, nodes: readonly NodeKey[]): Promise<void> {
  const unknown = (): NodeKey | undefined => nodes.find((node) => !topology.knows(node));
  if (unknown() !== undefined) {
    await topology.refresh().catch(() => undefined); // it may have come a moment ago
  }
  const stranger = unknown();
  if (stranger !== undefined) {
    throw new UnknownNodeError(stranger, [...topology.masters, ...topology.replicas].join(', '));
  }
}

function described(error: unknown, node: NodeKey, args: readonly Payload[]): Error {
  const command = `PUBSUB ${String(args[0])}`;
  if (error instanceof ClosedError) {
    return error;
  }
  return error instanceof RedisReplyError
    ? new CommandRefusedError(command, node, error.message, { cause: error })
    : noAnswer(`${command} at ${node}`, error);
}

function noAnswer(command: string, cause: unknown): ClusterUnreachableError {
  const reason = errorMessage(cause);
  return new ClusterUnreachableError(`${command} got no answer: ${reason}`, { cause });
}
