import { displayName } from './channel-key.js';
import { ClusterUnreachableError, CommandRefusedError, UnknownNodeError } from './errors.js';
import { firstSuccess } from './first-success.js';
import { readNodeReference, type NodeKey, type NodeReference } from './node-address.js';
import type { NodeConnections } from './node-connections.js';
import type { ChannelName, Payload } from './options.js';
import { PROBE_MARK } from './probe.js';
import { RedisReplyError, type Reply } from './resp/reply.js';
import { checkName } from './subscribe-arguments.js';
import type { Topology } from './topology.js';

/** How long to wait for one node before the next is asked too, in ms. */
const PATIENCE = 200;

/**
 * Which answer of a question to all nodes is wanted.
 *
 * @publicApi
 */
export interface IntrospectionOptions<A extends boolean = boolean> {
  /** true (default): one answer for the cluster. false: each node's own, by node (`host:port`). */
  aggregate?: A | undefined;
  /** Which nodes are asked. Default `all`, replicas too. */
  nodes?: NodeSelection | undefined;
}

/** All nodes, one role of them, or those that are named. Each that is named has to answer. */
// eslint-disable-next-line @typescript-eslint/no-redundant-type-constituents -- the words are for readers and editors
export type NodeSelection = 'all' | 'all-masters' | 'all-replicas' | NodeReference | readonly NodeReference[];

/** The answer for the cluster, or a `Map` of node (`host:port`) → that node's answer. */
export type Answer<A extends boolean, T> = A extends false ? Map<string, T> : T;

export function answer<A extends boolean, T>(
  perNode: Map<string, T>,
  aggregate: (answers: Iterable<T>) => T,
  options: IntrospectionOptions<A> = {},
): Answer<A, T> {
  return (options.aggregate === false ? perNode : aggregate(perNode.values())) as Answer<A, T>;
}

/** Asks the nodes of the cluster; by default all, replicas too: a foreign client may have subscribed at any of them. */
export class Introspection {
  constructor(
    private readonly topology: Topology,
    private readonly connections: NodeConnections,
  ) {}

  async channels(
    command: 'CHANNELS' | 'SHARDCHANNELS',
    pattern: ChannelName | undefined,
    nodes: NodeSelection | undefined,
  ): Promise<Map<NodeKey, string[]>> {
    const replies = await this.#askAll(nodes, command, ...(pattern === undefined ? [] : [pattern]));
    return mapValues(replies, readNames);
  }

  async numsub(
    command: 'NUMSUB' | 'SHARDNUMSUB',
    channels: readonly ChannelName[],
    nodes: NodeSelection | undefined,
  ): Promise<Map<NodeKey, Map<string, number>>> {
    const replies = await this.#askAll(nodes, command, ...channels);
    return mapValues(replies, (reply) => readCounts(reply, channels));
  }

  async numpat(nodes: NodeSelection | undefined): Promise<Map<NodeKey, number>> {
    return mapValues(await this.#askAll(nodes, 'NUMPAT'), (reply) => reply as number);
  }

  /** Whether the cluster knows a command. Where the ACL forbids the question, it is taken to. */
  supports(command: string): Promise<boolean> {
    const { masters, replicas } = this.topology;
    // Any node knows; one that is down must not hide what the others can tell.
    return firstSuccess(
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
      PATIENCE,
      ([error]) => (error instanceof Error ? error : noAnswer('COMMAND INFO', 'no node is known')),
    );
  }

  /** A replica that cannot be reached has no subscribers to count; a master that cannot be reached fails the question. */
  async #askAll(nodes: NodeSelection | undefined, ...args: Payload[]): Promise<Map<NodeKey, Reply>> {
    const { masters, replicas } = await this.#select(nodes);
    const answers = new Map<NodeKey, Reply>();
    await Promise.all([
      ...masters.map(async (node) => answers.set(node, await this.#ask(node, args))),
      ...replicas.map(async (node) => {
        try {
          answers.set(node, await this.#ask(node, args));
        } catch (error) {
          if (!(error instanceof ClusterUnreachableError)) {
            throw error;
          }
        }
      }),
    ]);
    return answers;
  }

  /** Those that have to answer, and those that may be away. */
  async #select(
    nodes: NodeSelection = 'all',
  ): Promise<{ readonly masters: readonly NodeKey[]; readonly replicas: readonly NodeKey[] }> {
    const { masters, replicas } = this.topology;
    switch (nodes) {
      case 'all':
        return { masters, replicas };
      case 'all-masters':
        return { masters, replicas: [] };
      case 'all-replicas':
        return { masters: [], replicas };
      default: {
        const named = (Array.isArray(nodes) ? nodes : [nodes]).map(readNodeReference);
        await assertNodes(this.topology, named);
        return { masters: [...new Set(named)], replicas: [] };
      }
    }
  }

  async #ask(node: NodeKey, args: readonly Payload[]): Promise<Reply> {
    const connection = await this.connections.connect(node);
    try {
      return await connection.call('PUBSUB', ...args);
    } catch (error) {
      const command = `PUBSUB ${String(args[0])}`;
      throw error instanceof RedisReplyError
        ? new CommandRefusedError(command, node, error.message, { cause: error })
        : noAnswer(command, error);
    }
  }
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

function noAnswer(command: string, cause: unknown): ClusterUnreachableError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new ClusterUnreachableError(`${command} got no answer: ${reason}`, { cause });
}

/** Parts the channels from the options that may follow them. */
export function readNumsubArguments(args: readonly (ChannelName | IntrospectionOptions)[]): {
  readonly channels: readonly ChannelName[];
  readonly options: IntrospectionOptions | undefined;
} {
  const last: unknown = args.at(-1);
  const hasOptions =
    typeof last === 'object' && last !== null && !Buffer.isBuffer(last) && !Array.isArray(last);
  return {
    channels: (hasOptions ? args.slice(0, -1) : args).map(checkName),
    options: hasOptions ? last : undefined,
  };
}

/** Reads the answer to `PUBSUB CHANNELS`; the channels of probes are left out. */
export function readNames(reply: Reply): string[] {
  const names: string[] = [];
  for (const bytes of reply as readonly Buffer[]) {
    const name = bytes.toString('utf8');
    if (!name.includes(PROBE_MARK)) {
      names.push(name);
    }
  }
  return names;
}

/** Reads the answer to `PUBSUB NUMSUB` with these channels: each name is followed by its count. */
export function readCounts(reply: Reply, channels: readonly ChannelName[]): Map<string, number> {
  const flat = reply as readonly Reply[];
  return new Map(channels.map((channel, index) => [displayName(channel), flat[2 * index + 1] as number]));
}

function mapValues<T>(replies: ReadonlyMap<NodeKey, Reply>, read: (reply: Reply) => T): Map<NodeKey, T> {
  return new Map([...replies].map(([node, reply]) => [node, read(reply)]));
}

export function union(lists: Iterable<readonly string[]>): string[] {
  return [...new Set([...lists].flat())].sort();
}

export function sumByChannel(counts: Iterable<ReadonlyMap<string, number>>): Map<string, number> {
  const sums = new Map<string, number>();
  for (const count of counts) {
    for (const [channel, number] of count) {
      sums.set(channel, (sums.get(channel) ?? 0) + number);
    }
  }
  return sums;
}

export function sum(numbers: Iterable<number>): number {
  return [...numbers].reduce((total, number) => total + number, 0);
}
