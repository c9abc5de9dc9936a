import {
  ClosedError,
  ClusterUnreachableError,
  CommandRefusedError,
  ForeignNodeError,
  InvalidArgumentError,
} from '../common/errors.js';
import { hedge } from '../../util/hedged-attempts.js';
import { readNodeReference, type NodeKey, type NodeReference } from '../common/node-address.js';
import type { CommandConnection } from '../connection/command-connection.js';
import type { CommandConnectionPool } from '../connection/command-connection-pool.js';
import type { SlotlessNodes, SlotlessNode } from '../topology/slotless-nodes.js';
import { RedisReplyError } from '../resp/reply.js';
import type { Topology } from '../topology/topology.js';
import { errorMessage } from '../../util/error-message.js';
import { NODE_REPLY_TIMEOUT_MS } from '../topology/topology-fetcher.js';

/** All nodes, all nodes of one role, or the nodes listed. Each listed node must answer. */
// eslint-disable-next-line @typescript-eslint/no-redundant-type-constituents -- the words are for readers and editors
export type NodeSelection = 'all' | 'all-masters' | 'all-replicas' | NodeReference | readonly NodeReference[];

/** Sends one command to one node. */
type NodeCommand<T> = (connection: CommandConnection) => Promise<T>;

/** Sends a query to the nodes of the cluster: by default to all, because a foreign client may subscribe on a replica. */
export class ClusterQuery {
  constructor(
    private readonly topology: Topology,
    private readonly connections: CommandConnectionPool,
    private readonly slotlessNodes: SlotlessNodes,
  ) {}

  /**
   * Sends a command to each node. An unreachable replica or slotless node is left out of the result unless it was listed:
   * nobody can be subscribed there. An unreachable master rejects.
   *
   * @param name of the command, for errors
   */
  async run<T>(
    nodes: NodeSelection | undefined,
    name: string,
    command: NodeCommand<T>,
  ): Promise<ReadonlyMap<NodeKey, T>> {
    await this.topology.assureRecent();
    const { required, requiredSlotless, optional, optionalSlotless } = await this.#select(nodes);
    const replies = new Map<NodeKey, T>();
    const add = async (node: NodeKey, reply: Promise<T>): Promise<void> => {
      replies.set(node, await reply);
    };
    const addIfReachable = async (node: NodeKey, reply: Promise<T>): Promise<void> => {
      try {
        await add(node, reply);
      } catch (error) {
        if (!(error instanceof ClusterUnreachableError || error instanceof ForeignNodeError)) {
          throw error;
        }
      }
    };
    const send = async (node: NodeKey): Promise<T> => {
      const connection = await this.connections.connect(node);
      return command(connection).catch((error: unknown) => rethrow(error, name, node));
    };
    const sendSlotless = (other: SlotlessNode): Promise<T> =>
      this.slotlessNodes.run(other, command).catch((error: unknown) => rethrow(error, name, other.node));
    await Promise.all([
      ...required.map((node) => add(node, send(node))),
      ...requiredSlotless.map((other) => add(other.node, sendSlotless(other))),
      ...optional.map((node) => addIfReachable(node, send(node))),
      optionalSlotless.then((found) =>
        Promise.all(found.map((other) => addIfReachable(other.node, sendSlotless(other)))),
      ),
    ]);
    return replies;
  }

  async #select(nodes: NodeSelection = 'all'): Promise<SelectedNodes> {
    const { masters, replicas } = this.topology;
    const find = async (role?: SlotlessNode['role']): Promise<readonly SlotlessNode[]> =>
      (await this.slotlessNodes.find()).filter((other) => role === undefined || other.role === role);
    switch (nodes) {
      case 'all':
        return { required: masters, requiredSlotless: [], optional: replicas, optionalSlotless: find() };
      case 'all-masters':
        return { required: masters, requiredSlotless: [], optional: [], optionalSlotless: find('master') };
      case 'all-replicas':
        return { required: [], requiredSlotless: [], optional: replicas, optionalSlotless: find('replica') };
      default: {
        const listed = [...new Set((Array.isArray(nodes) ? nodes : [nodes]).map(readNodeReference))];
        if (listed.length === 0) {
          throw new InvalidArgumentError('`nodes` must not be empty.');
        }
        const isAnyUnknown = listed.some((node) => !this.topology.knows(node));
        const slotless = (isAnyUnknown ? await find() : []).filter(({ node }) => listed.includes(node));
        const others = listed.filter((node) => !slotless.some((other) => other.node === node));
        await this.topology.assertKnown(others);
        return {
          required: others,
          requiredSlotless: slotless,
          optional: [],
          optionalSlotless: Promise.resolve([]),
        };
      }
    }
  }
}

/** Whether the cluster knows a command; assumed where the ACL forbids COMMAND INFO. */
export function supports(
  { masters, replicas }: Topology,
  connections: CommandConnectionPool,
  command: string,
): Promise<boolean> {
  // Every node knows the answer, so one that is down must not delay it.
  return hedge(
    [...new Set([...connections.nodes, ...masters, ...replicas])],
    async (node) => {
      const connection = await connections.connect(node);
      try {
        const reply = await connection.call('COMMAND', 'INFO', command);
        return !Array.isArray(reply) || reply[0] !== null;
      } catch (error) {
        if (error instanceof RedisReplyError) {
          return true;
        }
        throw noReply('COMMAND INFO', error);
      }
    },
    NODE_REPLY_TIMEOUT_MS,
    ([error]) => (error instanceof Error ? error : noReply('COMMAND INFO', 'no node is known')),
  );
}

/** Nodes that must answer, and nodes that may be unreachable. */
interface SelectedNodes {
  readonly required: readonly NodeKey[];
  readonly requiredSlotless: readonly SlotlessNode[];
  readonly optional: readonly NodeKey[];
  /** Found while the other nodes answer. */
  readonly optionalSlotless: Promise<readonly SlotlessNode[]>;
}

function rethrow(error: unknown, command: string, node: NodeKey): never {
  if (error instanceof ClosedError) {
    throw error;
  }
  throw error instanceof RedisReplyError
    ? new CommandRefusedError(command, node, error.message, { cause: error })
    : noReply(`${command} at ${node}`, error);
}

function noReply(command: string, cause: unknown): ClusterUnreachableError {
  const reason = errorMessage(cause);
  return new ClusterUnreachableError(`${command} got no reply: ${reason}`, { cause });
}
