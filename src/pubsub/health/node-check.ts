import type { CommandConnection } from '../connection/command-connection.js';
import {
  channelCounts,
  channels,
  type ChannelsCommand,
  numpat,
  numsub,
} from '../connection/pubsub-commands.js';
import { readClusterInfo } from '../topology/node-view.js';
import type { ChannelKey, ChannelName } from '../common/channel-name.js';
import type { NodeKey } from '../common/node-address.js';
import { isServingRefusal, RedisReplyError } from '../resp/reply.js';
import type { Deadline } from '../../util/deadline.js';
import { errorReason, lateError } from '../../util/error-message.js';

/**
 * A node with more channels is not asked to list them: others may subscribe to as many as they like, and Redis serves
 * nobody else while it compares their names.
 */
export const MAX_LISTED_CHANNELS = 10_000;

/** What to ask every node for. */
export interface NodeQuery {
  /** The channels whose subscribers are counted. */
  readonly channels: readonly ChannelName[];
  /** The glob of the channels that are listed; undefined for all. */
  readonly listed: string | undefined;
  /** Whether the cluster has shard channels. */
  readonly sharded: boolean;
}

/** A command that a node refused. */
export interface Refusal {
  /** For example `PUBSUB NUMSUB`. */
  readonly command: string;
  readonly error: RedisReplyError;
}

/** The channels with subscribers by name on one node. */
export interface NodeChannels {
  /** Undefined: too many, or an unknown number of any names. */
  readonly names: readonly ChannelKey[] | undefined;
  /** All, listed or not; undefined where the node does not say. */
  readonly count: number | undefined;
}

/** The replies of one node; what it refused to answer is missing and listed in `refusals`. */
export interface NodeReply {
  /** Of PING, in ms. */
  readonly roundTrip: number;
  /** Whether the node's `cluster_state` is `ok`; undefined where the ACL forbids CLUSTER INFO. */
  readonly works: boolean | undefined;
  readonly channels: NodeChannels;
  readonly shardChannels: NodeChannels;
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

const NO_CHANNELS: NodeChannels = { names: [], count: 0 };

/** Connections whose user may not use INFO: each attempt would be an entry in `ACL LOG`. */
const withoutInfo = new WeakSet<CommandConnection>();

/** How many channels the node has, where it says so. */
async function countsOf(
  connection: CommandConnection,
): Promise<Readonly<Record<ChannelsCommand, number | undefined>>> {
  if (!withoutInfo.has(connection)) {
    try {
      const { classic, shard } = await channelCounts(connection);
      return { CHANNELS: classic, SHARDCHANNELS: shard };
    } catch (error) {
      if (!(error instanceof RedisReplyError)) {
        throw error;
      }
      withoutInfo.add(connection);
    }
  }
  return { CHANNELS: undefined, SHARDCHANNELS: undefined };
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
  const asked = countsOf(connection);
  const list = async (command: ChannelsCommand): Promise<NodeChannels | undefined> => {
    const { [command]: count } = await asked;
    const mayList = count === undefined ? query.listed !== undefined : count <= MAX_LISTED_CHANNELS;
    const names = mayList ? await pubsub(command, channels(connection, command, query.listed)) : undefined;
    return mayList && names === undefined ? undefined : { names, count };
  };
  const [roundTrip, patterns, active, counts, activeShard, shardCounts, info] = await Promise.all([
    ping(connection),
    pubsub('NUMPAT', numpat(connection)),
    list('CHANNELS'),
    pubsub('NUMSUB', numsub(connection, 'NUMSUB', query.channels)),
    query.sharded ? list('SHARDCHANNELS') : undefined,
    query.sharded ? pubsub('SHARDNUMSUB', numsub(connection, 'SHARDNUMSUB', query.channels)) : undefined,
    unlessRefused('CLUSTER INFO', connection.call('CLUSTER', 'INFO')),
  ]);
  return {
    roundTrip,
    works: readClusterInfo(info).works,
    channels: active ?? NO_CHANNELS,
    shardChannels: activeShard ?? NO_CHANNELS,
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
