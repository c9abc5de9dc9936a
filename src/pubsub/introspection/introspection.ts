import {
  bytesOfKey,
  keyOfBytes,
  type ChannelKey,
  type ChannelName,
  checkName,
} from '../common/channel-name.js';
import { InvalidArgumentError } from '../common/errors.js';
import { checkOptions, checkBoolean } from '../common/validation.js';
import type { Encoded, Payload, PubSubEncoding } from '../common/messages.js';
import type { NodeKey } from '../common/node-address.js';
import type { ClusterQuery, NodeSelection } from './cluster-query.js';
import { PROBE_MARK } from '../liveness/liveness-probe.js';
import type { Reply } from '../resp/reply.js';
import { sum } from '../../util/arrays.js';

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
export class Introspection<E extends PubSubEncoding> {
  constructor(
    private readonly questions: ClusterQuery,
    private readonly encoding: E | undefined,
    private readonly connect: () => Promise<void>,
  ) {}

  async channels<A extends boolean>(
    command: 'CHANNELS' | 'SHARDCHANNELS',
    pattern: ChannelName | undefined,
    options: IntrospectionOptions<A> | undefined,
  ): Promise<Answer<A, Encoded<E>[]>> {
    const args = pattern === undefined ? [] : [checkPattern(pattern)];
    const named = (keys: Iterable<ChannelKey>): Encoded<E>[] => this.#named(keys);
    const union = (lists: Iterable<readonly ChannelKey[]>): Encoded<E>[] => named(new Set([...lists].flat()));
    return this.#ask([command, ...args], readNames, union, options, named);
  }

  async numsub(
    command: 'NUMSUB' | 'SHARDNUMSUB',
    args: readonly (ChannelName | IntrospectionOptions)[],
  ): Promise<Answer<boolean, Map<ChannelName, number>>> {
    const { channels, options } = readNumsubArguments(args);
    const read = (reply: Reply): Map<ChannelName, number> => readCounts(reply, channels);
    return this.#ask([command, ...channels], read, sumByChannel, options, asItIs);
  }

  async numpat<A extends boolean>(options: IntrospectionOptions<A> | undefined): Promise<Answer<A, number>> {
    return this.#ask(['NUMPAT'], (reply) => reply as number, sum, options, asItIs);
  }

  async #ask<A extends boolean, R, T>(
    args: readonly Payload[],
    read: (reply: Reply) => R,
    aggregate: (answers: Iterable<R>) => T,
    options: IntrospectionOptions<A> = {},
    ofOne: (answer: R) => T,
  ): Promise<Answer<A, T>> {
    checkOptions('The options ({ aggregate, nodes })', options);
    checkBoolean('aggregate', options.aggregate);
    await this.connect();
    const replies = await this.questions.pubsub(options.nodes, ...args);
    const perNode = [...replies].map(([node, reply]): [NodeKey, R] => [node, read(reply)]);
    const answer =
      options.aggregate === false
        ? new Map(perNode.map(([node, one]) => [node, ofOne(one)]))
        : aggregate(perNode.map(([, one]) => one));
    return answer as Answer<A, T>;
  }

  /** As the reader asked for them, sorted. */
  #named(keys: Iterable<ChannelKey>): Encoded<E>[] {
    const sorted = [...keys].sort().map(bytesOfKey);
    const names: (string | Buffer)[] =
      this.encoding === 'buffer' ? sorted : sorted.map((bytes) => bytes.toString('utf8'));
    return names as Encoded<E>[];
  }
}

function asItIs<T>(answer: T): T {
  return answer;
}

function checkPattern(pattern: unknown): ChannelName {
  if (typeof pattern !== 'string' && !Buffer.isBuffer(pattern)) {
    throw new InvalidArgumentError(
      'The pattern comes first, a string or a Buffer (undefined for all channels), and then the options.',
    );
  }
  return pattern;
}

/** Parts the channels from the options that may follow them. */
function readNumsubArguments(args: readonly (ChannelName | IntrospectionOptions)[]): {
  readonly channels: readonly ChannelName[];
  readonly options: IntrospectionOptions | undefined;
} {
  const last: unknown = args.at(-1);
  const hasOptions = typeof last === 'object' && last !== null && !(Symbol.iterator in last);
  return {
    channels: (hasOptions ? args.slice(0, -1) : args).map(checkName),
    options: hasOptions ? last : undefined,
  };
}

/** Reads the answer to `PUBSUB CHANNELS`; the channels of probes are left out. */
export function readNames(reply: Reply): ChannelKey[] {
  const names: ChannelKey[] = [];
  for (const bytes of reply as readonly Buffer[]) {
    const name = keyOfBytes(bytes);
    if (!name.includes(PROBE_MARK)) {
      names.push(name);
    }
  }
  return names;
}

/** Reads the answer to `PUBSUB NUMSUB` with these channels: each name is followed by its count. By name as it was given. */
export function readCounts(reply: Reply, channels: readonly ChannelName[]): Map<ChannelName, number> {
  const flat = reply as readonly Reply[];
  return new Map(channels.map((channel, index) => [channel, flat[2 * index + 1] as number]));
}

/** Of the counts for one and the same list of names. */
export function sumByChannel(counts: Iterable<ReadonlyMap<ChannelName, number>>): Map<ChannelName, number> {
  const sums = new Map<ChannelName, number>();
  for (const count of counts) {
    for (const [channel, number] of count) {
      sums.set(channel, (sums.get(channel) ?? 0) + number);
    }
  }
  return sums;
}
