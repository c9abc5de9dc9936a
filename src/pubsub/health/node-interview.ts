import type { ChannelKey } from '../channel-key.js';
import type { CommandConnection } from '../command-connection.js';
import { readCounts, readNames } from '../introspection.js';
import { readClusterInfo } from '../node-account.js';
import type { NodeKey } from '../node-address.js';
import type { NodeConnections } from '../node-connections.js';
import type { ChannelName, Payload } from '../options.js';
import { RedisReplyError, type Reply } from '../resp/reply.js';
import type { Deadline } from '../deadline.js';
import { reasonOf } from './reason-of.js';

/** What every node is asked. */
export interface NodeQuestion {
  /** Whose subscribers to count. */
  readonly channels: readonly ChannelName[];
  /** Whether the cluster knows shard channels. */
  readonly sharded: boolean;
}

/** What a node has said. What it refused to say is missing, and told in `refusal`. */
export interface NodeAnswer {
  /** Of PING, in ms. */
  readonly roundTrip: number;
  /** Whether the cluster works in the eyes of the node; undefined where it may not be asked. */
  readonly works: boolean | undefined;
  readonly channels: readonly ChannelKey[];
  readonly shardChannels: readonly ChannelKey[];
  readonly numsub: ReadonlyMap<ChannelName, number> | undefined;
  readonly shardNumsub: ReadonlyMap<ChannelName, number> | undefined;
  readonly patterns: number;
  /** The first command that was refused, and why. */
  readonly refusal: string | undefined;
}

/** One node's answers, or why there are none. */
export interface NodeReport {
  readonly node: NodeKey;
  readonly answer?: NodeAnswer;
  readonly silence?: string;
}

/** Asks one node all there is to ask, in one round trip. Resolves by the deadline in any case. */
export async function interview(
  connections: NodeConnections,
  node: NodeKey,
  question: NodeQuestion,
  deadline: Deadline,
): Promise<NodeReport> {
  try {
    const answer = connections.connect(node).then((connection) => ask(connection, question));
    return {
      node,
      answer: await deadline.or(answer, (ms) => new Error(`it did not answer within ${ms} ms`)),
    };
  } catch (error) {
    return { node, silence: reasonOf(error) };
  }
}

async function ask(connection: CommandConnection, question: NodeQuestion): Promise<NodeAnswer> {
  const { channels, sharded } = question;
  const refusals: string[] = [];
  /** Undefined where Redis refuses, which is an answer too; a lost connection is none. */
  const pubsub = async (...args: Payload[]): Promise<Reply | undefined> => {
    const reply = await call(connection, 'PUBSUB', ...args);
    if (reply instanceof RedisReplyError) {
      refusals.push(`PUBSUB ${String(args[0])}: ${reply.message}`);
      return undefined;
    }
    return reply;
  };
  const counting = channels.length > 0;
  const [roundTrip, numpat, active, numsub, activeShard, shardNumsub, info] = await Promise.all([
    ping(connection),
    pubsub('NUMPAT'),
    pubsub('CHANNELS'),
    counting ? pubsub('NUMSUB', ...channels) : undefined,
    sharded ? pubsub('SHARDCHANNELS') : undefined,
    sharded && counting ? pubsub('SHARDNUMSUB', ...channels) : undefined,
    call(connection, 'CLUSTER', 'INFO'),
  ]);
  return {
    roundTrip,
    works: readClusterInfo(info instanceof RedisReplyError ? undefined : info).works,
    channels: active === undefined ? [] : readNames(active),
    shardChannels: activeShard === undefined ? [] : readNames(activeShard),
    numsub: numsub === undefined ? undefined : readCounts(numsub, channels),
    shardNumsub: shardNumsub === undefined ? undefined : readCounts(shardNumsub, channels),
    patterns: typeof numpat === 'number' ? numpat : 0,
    refusal: refusals[0],
  };
}

/** @throws the answer of a node that is there, but does not serve (LOADING, MASTERDOWN) */
async function ping(connection: CommandConnection): Promise<number> {
  const asked = performance.now();
  const reply = await call(connection, 'PING');
  if (reply instanceof RedisReplyError && reply.kind !== 'NOPERM') {
    throw reply;
  }
  return performance.now() - asked;
}

async function call(connection: CommandConnection, ...args: Payload[]): Promise<Reply> {
  try {
    return await connection.call(...args);
  } catch (error) {
    if (error instanceof RedisReplyError) {
      return error;
    }
    throw error;
  }
}
