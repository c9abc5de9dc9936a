import { displayName } from './channel-key.js';
import type { NodeKey } from './node-address.js';
import type { NodeQuestions, NodeSelection } from './node-questions.js';
import type { ChannelName, Payload } from './options.js';
import { PROBE_MARK } from './probe.js';
import type { Reply } from './resp/reply.js';
import { checkName } from './subscribe-arguments.js';

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

/** The answer for the cluster, or a `Map` of node (`host:port`) → that node's answer. */
export type Answer<A extends boolean, T> = A extends false ? Map<string, T> : T;

/** The `PUBSUB` questions, and how the answers of the nodes become one. */
export class Introspection {
  constructor(
    private readonly questions: NodeQuestions,
    private readonly connect: () => Promise<void>,
  ) {}

  channels<A extends boolean>(
    command: 'CHANNELS' | 'SHARDCHANNELS',
    pattern: ChannelName | undefined,
    options: IntrospectionOptions<A> | undefined,
  ): Promise<Answer<A, string[]>> {
    const args = pattern === undefined ? [] : [pattern];
    return this.#ask([command, ...args], readNames, union, options);
  }

  async numsub(
    command: 'NUMSUB' | 'SHARDNUMSUB',
    args: readonly (ChannelName | IntrospectionOptions)[],
  ): Promise<Answer<boolean, Map<string, number>>> {
    const { channels, options } = readNumsubArguments(args);
    return this.#ask([command, ...channels], (reply) => readCounts(reply, channels), sumByChannel, options);
  }

  numpat<A extends boolean>(options: IntrospectionOptions<A> | undefined): Promise<Answer<A, number>> {
    return this.#ask(['NUMPAT'], (reply) => reply as number, sum, options);
  }

  async #ask<A extends boolean, T>(
    args: readonly Payload[],
    read: (reply: Reply) => T,
    aggregate: (answers: Iterable<T>) => T,
    options: IntrospectionOptions<A> = {},
  ): Promise<Answer<A, T>> {
    await this.connect();
    const replies = await this.questions.pubsub(options.nodes, ...args);
    const perNode = new Map<NodeKey, T>([...replies].map(([node, reply]) => [node, read(reply)]));
    return (options.aggregate === false ? perNode : aggregate(perNode.values())) as Answer<A, T>;
  }
}

/** Parts the channels from the options that may follow them. */
function readNumsubArguments(args: readonly (ChannelName | IntrospectionOptions)[]): {
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

export function sumByChannel(counts: Iterable<ReadonlyMap<string, number>>): Map<string, number> {
  const sums = new Map<string, number>();
  for (const count of counts) {
    for (const [channel, number] of count) {
      sums.set(channel, (sums.get(channel) ?? 0) + number);
    }
  }
  return sums;
}

function union(lists: Iterable<readonly string[]>): string[] {
  return [...new Set([...lists].flat())].sort();
}

function sum(numbers: Iterable<number>): number {
  return [...numbers].reduce((total, number) => total + number, 0);
}
