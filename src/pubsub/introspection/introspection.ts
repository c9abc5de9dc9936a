import { bytesOfKey, checkName, type ChannelKey, type ChannelName } from '../common/channel-name.js';
import { InvalidArgumentError } from '../common/errors.js';
import { readBoolean, readObject } from '../common/validation.js';
import type { Encoded, PubSubEncoding } from '../common/messages.js';
import type { ClusterQuery, NodeSelection } from './cluster-query.js';
import type { CommandConnection } from '../connection/command-connection.js';
import {
  channels,
  numpat,
  numsub,
  type ChannelsCommand,
  type NumsubCommand,
} from '../connection/pubsub-commands.js';
import { sum } from '../../util/arrays.js';

/**
 * Options of the `PUBSUB` queries.
 *
 * @publicApi
 */
export interface IntrospectionOptions<A extends boolean = boolean> {
  /** true (default): one result for the cluster. false: the result of each node, by node (`host:port`). */
  aggregate?: A | undefined;
  /** The nodes to query. Default `all`, replicas included. */
  nodes?: NodeSelection | undefined;
}

/** One result for the cluster, or a `Map` of node (`host:port`) → the result of that node. */
export type Answer<A extends boolean, T> = A extends false ? Map<string, T> : T;

/** The `PUBSUB` queries, and how the replies of the nodes become one result. */
export class Introspection<E extends PubSubEncoding> {
  constructor(
    private readonly query: ClusterQuery,
    private readonly encoding: E | undefined,
    private readonly connect: () => Promise<void>,
  ) {}

  async channels<A extends boolean>(
    command: ChannelsCommand,
    pattern: ChannelName | undefined,
    options: IntrospectionOptions<A> | undefined,
  ): Promise<Answer<A, Encoded<E>[]>> {
    const checked = pattern === undefined ? undefined : checkPattern(pattern);
    const encode = (names: readonly ChannelKey[]): Encoded<E>[] => this.#encode(names);
    return this.#query(command, (connection) => channels(connection, command, checked), options, {
      perNode: encode,
      aggregate: (lists) => encode([...new Set(lists.flat())]),
    });
  }

  async numsub(
    command: NumsubCommand,
    args: readonly (ChannelName | IntrospectionOptions)[],
  ): Promise<Answer<boolean, Map<ChannelName, number>>> {
    const { names, options } = readNumsubArguments(args);
    const byName = (counts: readonly number[]): Map<ChannelName, number> =>
      new Map(names.map((name, index) => [name, counts[index] ?? 0]));
    return this.#query(command, (connection) => numsub(connection, command, names), options, {
      perNode: byName,
      // Nothing is known of any name where no node was asked.
      aggregate: (counts) =>
        counts.length === 0
          ? new Map()
          : byName(names.map((_, index) => sum(counts.map((one) => one[index] ?? 0)))),
    });
  }

  async numpat<A extends boolean>(options: IntrospectionOptions<A> | undefined): Promise<Answer<A, number>> {
    return this.#query('NUMPAT', numpat, options, { perNode: (count) => count, aggregate: sum });
  }

  async #query<A extends boolean, R, T>(
    subcommand: string,
    command: (connection: CommandConnection) => Promise<R>,
    options: IntrospectionOptions<A> = {},
    result: { perNode(reply: R): T; aggregate(replies: readonly R[]): T },
  ): Promise<Answer<A, T>> {
    const { aggregate: isAggregated = true, nodes } = readObject('Options ({ aggregate, nodes })', options);
    readBoolean('aggregate', isAggregated);
    await this.connect();
    const replies = await this.query.run(nodes, `PUBSUB ${subcommand}`, command);
    const answer = isAggregated
      ? result.aggregate([...replies.values()])
      : new Map([...replies].map(([node, reply]) => [node, result.perNode(reply)]));
    return answer as Answer<A, T>;
  }

  /** Sorted, in the encoding of the engine. */
  #encode(names: readonly ChannelKey[]): Encoded<E>[] {
    const sorted = [...names].sort().map(bytesOfKey);
    const encoded: (string | Buffer)[] =
      this.encoding === 'buffer' ? sorted : sorted.map((bytes) => bytes.toString('utf8'));
    return encoded as Encoded<E>[];
  }
}

function checkPattern(pattern: unknown): ChannelName {
  if (typeof pattern !== 'string' && !Buffer.isBuffer(pattern)) {
    throw new InvalidArgumentError(
      'The first argument must be a pattern (string, Buffer, or undefined for all channels); options come second.',
    );
  }
  return pattern;
}

/** Separates the channels from the options that may follow them. */
function readNumsubArguments(args: readonly (ChannelName | IntrospectionOptions)[]): {
  readonly names: readonly ChannelName[];
  readonly options: IntrospectionOptions | undefined;
} {
  const last: unknown = args.at(-1);
  const hasOptions = typeof last === 'object' && last !== null && !(Symbol.iterator in last);
  return {
    names: (hasOptions ? args.slice(0, -1) : args).map(checkName),
    options: hasOptions ? last : undefined,
  };
}
