import type { CommandConnection } from '../connection/command-connection.js';
import { readClusterInfo } from '../topology/node-view.js';
import type { NodeKey } from '../common/node-address.js';
import type { ChannelName } from '../common/channel-name.js';
import type { Payload } from '../common/messages.js';
import { encodeHead, type CommandHead } from '../resp/command-head.js';
import { RedisReplyError, type Reply } from '../resp/reply.js';
import type { Deadline } from '../../util/deadline.js';
import { errorReason } from '../../util/error-message.js';

/** How many names one command carries at most: answers that come in one read are cheaper than long ones. */
const NAMES_A_COMMAND = 1_000;

interface Command {
  readonly name: string;
  readonly head: CommandHead;
  readonly last: Payload;
}

/** What every node is asked, encoded once for all of them. */
export class NodeQuestion {
  readonly numsub: readonly Command[];
  /** None where the cluster knows no shard channels. */
  readonly shardNumsub: readonly Command[];

  constructor(
    /** Whose subscribers to count. */
    readonly channels: readonly ChannelName[],
    /** Whether the cluster knows shard channels. */
    readonly sharded: boolean,
  ) {
    const batches: (readonly ChannelName[])[] = [];
    for (let from = 0; from < channels.length; from += NAMES_A_COMMAND) {
      batches.push(channels.slice(from, from + NAMES_A_COMMAND));
    }
    this.numsub = batches.map((batch) => command('PUBSUB', 'NUMSUB', ...batch));
    this.shardNumsub = sharded ? batches.map((batch) => command('PUBSUB', 'SHARDNUMSUB', ...batch)) : [];
  }
}

const NUMPAT = command('PUBSUB', 'NUMPAT');
const CHANNELS = command('PUBSUB', 'CHANNELS');
const SHARDCHANNELS = command('PUBSUB', 'SHARDCHANNELS');
const CLUSTER_INFO = command('CLUSTER', 'INFO');

function command(first: string, second: string, ...rest: readonly ChannelName[]): Command {
  const args = [first, second, ...rest];
  return { name: `${first} ${second}`, head: encodeHead(args.slice(0, -1)), last: args.at(-1) as Payload };
}

/** An error reply to one of the questions. */
export interface Refusal {
  /** `PUBSUB NUMSUB` and its like. */
  readonly command: string;
  readonly error: RedisReplyError;
}

/** What a node has said. What it refused to say is missing, and told in `refusals`. */
export interface NodeAnswer {
  /** Of PING, in ms. */
  readonly roundTrip: number;
  /** Whether the cluster works in the eyes of the node; undefined where it may not be asked. */
  readonly works: boolean | undefined;
  /** Those of probes as well. */
  readonly channels: readonly Buffer[];
  readonly shardChannels: readonly Buffer[];
  /** In the order of the channels that were asked for; undefined where that was refused, or not asked. */
  readonly numsub: readonly number[] | undefined;
  readonly shardNumsub: readonly number[] | undefined;
  readonly patterns: number;
  readonly refusals: readonly Refusal[];
}

/** Who is asked. */
export interface CheckedNode {
  readonly node: NodeKey;
  /** `slotless`: a master without slots */
  readonly role: 'master' | 'slotless' | 'replica';
  /** The cluster has given it up (flag `fail`): what is published elsewhere does not get there. */
  readonly givenUp?: boolean;
}

/** One node's answers, or why there are none. */
export interface NodeReport extends CheckedNode {
  readonly answer?: NodeAnswer;
  readonly silence?: string;
}

/** Puts the questions to a node. */
export type NodeExecutor = (
  put: (connection: CommandConnection) => Promise<NodeAnswer>,
) => Promise<NodeAnswer>;

/** Asks one node all there is to ask, in one round trip. Resolves by the deadline in any case. */
export async function checkNode(
  asked: CheckedNode,
  visit: NodeExecutor,
  question: NodeQuestion,
  deadline: Deadline,
): Promise<NodeReport> {
  try {
    const answer = visit((connection) => ask(connection, question));
    return {
      ...asked,
      answer: await deadline.or(answer, (ms) => new Error(`it did not answer within ${ms} ms`)),
    };
  } catch (error) {
    return { ...asked, silence: errorReason(error) };
  }
}

async function ask(connection: CommandConnection, question: NodeQuestion): Promise<NodeAnswer> {
  const refusals: Refusal[] = [];
  /** Undefined where Redis refuses, which is an answer too; a lost connection is none. */
  const put = (asked: Command): Promise<Reply | undefined> =>
    new Promise((resolve, reject) => {
      connection.send(asked.head, asked.last, {
        answered: (error, reply) => {
          if (error instanceof RedisReplyError) {
            refusals.push({ command: asked.name, error });
            resolve(undefined);
          } else if (error === undefined) {
            resolve(reply);
          } else {
            reject(error);
          }
        },
      });
    });
  const putAll = async (asked: readonly Command[]): Promise<readonly number[] | undefined> => {
    const replies = await Promise.all(asked.map(put));
    return asked.length === 0 || replies.includes(undefined) ? undefined : replies.flatMap(readNumbers);
  };
  const [roundTrip, numpat, active, numsub, activeShard, shardNumsub, info] = await Promise.all([
    ping(connection),
    put(NUMPAT),
    put(CHANNELS),
    putAll(question.numsub),
    question.sharded ? put(SHARDCHANNELS) : undefined,
    putAll(question.shardNumsub),
    put(CLUSTER_INFO),
  ]);
  return {
    roundTrip,
    works: readClusterInfo(info).works,
    channels: (active ?? []) as readonly Buffer[],
    shardChannels: (activeShard ?? []) as readonly Buffer[],
    numsub,
    shardNumsub,
    patterns: typeof numpat === 'number' ? numpat : 0,
    // One for each command, however often it was put.
    refusals: [...new Map(refusals.map((refusal) => [refusal.command, refusal])).values()],
  };
}

/** The answer to `PUBSUB NUMSUB`: each name is followed by its count. */
function readNumbers(reply: Reply | undefined): number[] {
  const flat = reply as readonly Reply[];
  const numbers: number[] = [];
  for (let at = 1; at < flat.length; at += 2) {
    numbers.push(flat[at] as number);
  }
  return numbers;
}

/** @throws the answer of a node that is there, but does not serve (LOADING, MASTERDOWN) */
async function ping(connection: CommandConnection): Promise<number> {
  const asked = performance.now();
  try {
    await connection.call('PING');
  } catch (error) {
    if (!(error instanceof RedisReplyError && error.kind === 'NOPERM')) {
      throw error;
    }
  }
  return performance.now() - asked;
}
