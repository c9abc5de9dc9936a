import type { CommandConnection } from '../connection/command-connection.js';
import { channels, numpat, numsub } from '../connection/pubsub-commands.js';
import { readClusterInfo } from '../topology/node-view.js';
import type { ChannelKey, ChannelName } from '../common/channel-name.js';
import type { NodeKey } from '../common/node-address.js';
import { isServingRefusal, RedisReplyError } from '../resp/reply.js';
import type { Deadline } from '../../util/deadline.js';
import { errorReason, lateError } from '../../util/error-message.js';

/** What to ask every node for. */
export interface NodeQuery {
  /** The channels whose subscribers are counted. */
  readonly channels: readonly ChannelName[];
  /** Whether the cluster has shard channels. */
  readonly sharded: boolean;
}

/** A command that a node refused. */
export interface Refusal {
  /** For example `PUBSUB NUMSUB`. */
  readonly command: string;
  readonly error: RedisReplyError;
}

/** The replies of one node; what it refused to answer is missing and listed in `refusals`. */
export interface NodeReply {
  /** Of PING, in ms. */
  readonly roundTrip: number;
  /** Whether the node's `cluster_state` is `ok`; undefined where the ACL forbids CLUSTER INFO. */
  readonly works: boolean | undefined;
  readonly channels: readonly ChannelKey[];
  readonly shardChannels: readonly ChannelKey[];
  /** In the order of the query's channels; undefined where refused, or where there are no shard channels. */
  readonly numsub: readonly number[] | undefined;
  readonly shardNumsub: readonly number[] | undefined;
  readonly patterns: number;
  readonly refusals: readonly Refusal[];
}

export interface CheckedNode {
  readonly node: NodeKey;
  /** `slotless`: a master without slots. */
  readonly role: 'master' | 'slotless' | 'replica';
  /** Flagged `fail` by the cluster: messages published on other nodes do not reach it. */
  readonly failed?: boolean;
}

/** The replies of one node, or why there are none. */
export interface NodeReport extends CheckedNode {
  readonly reply?: NodeReply;
  readonly unreachable?: string;
}

/** Runs the check on a connection to the node. */
export type NodeExecutor = (
  check: (connection: CommandConnection) => Promise<NodeReply>,
) => Promise<NodeReply>;

/**
 * Asks one node everything in one round trip. Resolves by the deadline in any case.
 *
 * @param failure why the node cannot be connected to, as far as is known when the time is over
 */
export async function checkNode(
  checked: CheckedNode,
  execute: NodeExecutor,
  query: NodeQuery,
  deadline: Deadline,
  failure: () => unknown,
): Promise<NodeReport> {
  try {
    const reply = execute((connection) => ask(connection, query));
    return {
      ...checked,
      reply: await deadline.or(reply, (ms) => lateError(`it did not answer within ${ms} ms`, failure())),
    };
  } catch (error) {
    return { ...checked, unreachable: errorReason(error) };
  }
}

async function ask(connection: CommandConnection, query: NodeQuery): Promise<NodeReply> {
  /** Set before the replies come, so that they are listed in the order of the commands. */
  const errors = new Map<string, RedisReplyError | undefined>();
  /** Undefined where Redis refuses the command; rejects where the connection is lost. */
  const unlessRefused = async <T>(command: string, reply: Promise<T>): Promise<T | undefined> => {
    errors.set(command, undefined);
    try {
      return await reply;
    } catch (error) {
      if (!(error instanceof RedisReplyError)) {
        throw error;
      }
      errors.set(command, error);
      return undefined;
    }
  };
  const pubsub = <T>(subcommand: string, reply: Promise<T>): Promise<T | undefined> =>
    unlessRefused(`PUBSUB ${subcommand}`, reply);
  const [roundTrip, patterns, active, counts, activeShard, shardCounts, info] = await Promise.all([
    ping(connection),
    pubsub('NUMPAT', numpat(connection)),
    pubsub('CHANNELS', channels(connection, 'CHANNELS')),
    pubsub('NUMSUB', numsub(connection, 'NUMSUB', query.channels)),
    query.sharded ? pubsub('SHARDCHANNELS', channels(connection, 'SHARDCHANNELS')) : undefined,
    query.sharded ? pubsub('SHARDNUMSUB', numsub(connection, 'SHARDNUMSUB', query.channels)) : undefined,
    unlessRefused('CLUSTER INFO', connection.call('CLUSTER', 'INFO')),
  ]);
  return {
    roundTrip,
    works: readClusterInfo(info).works,
    channels: active ?? [],
    shardChannels: activeShard ?? [],
    numsub: counts,
    shardNumsub: shardCounts,
    patterns: patterns ?? 0,
    refusals: [...errors].flatMap(([command, error]) => (error === undefined ? [] : { command, error })),
  };
}

/** @throws the reply of a node that is reachable but does not serve (LOADING, MASTERDOWN) */
async function ping(connection: CommandConnection): Promise<number> {
  const sentAt = performance.now();
  try {
    await connection.call('PING');
  } catch (error) {
    if (!(error instanceof RedisReplyError && (error.kind === 'NOPERM' || isServingRefusal(error.message)))) {
      throw error;
    }
  }
  return performance.now() - sentAt;
}
