import { keyOfBytes, PROBE_MARK, type ChannelKey, type ChannelName } from '../common/channel-name.js';
import type { Reply } from '../resp/reply.js';
import { isCount, type CommandConnection } from './command-connection.js';

export type ChannelsCommand = 'CHANNELS' | 'SHARDCHANNELS';
export type NumsubCommand = 'NUMSUB' | 'SHARDNUMSUB';

/** Redis serves nobody else while it answers: a command with very many names would delay all other clients of the node. */
const MAX_NAMES_PER_COMMAND = 1_000;

/** The channels with subscribers by name on one node, without the channels of probes. */
export async function channels(
  connection: CommandConnection,
  command: ChannelsCommand,
  pattern?: ChannelName,
): Promise<ChannelKey[]> {
  const names = await connection.query(
    readNames,
    'PUBSUB',
    command,
    ...(pattern === undefined ? [] : [pattern]),
  );
  return names.map(keyOfBytes).filter((name) => !name.includes(PROBE_MARK));
}

/** How many channels have subscribers by name on one node; undefined where it does not say. Cheap, however many there are. */
export interface ChannelCounts {
  readonly classic: number | undefined;
  readonly shard: number | undefined;
}

/** @throws RedisReplyError where the ACL forbids INFO */
export async function channelCounts(connection: CommandConnection): Promise<ChannelCounts> {
  const info = await connection.query(readText, 'INFO', 'stats');
  const count = (field: string): number | undefined => {
    const [, digits] = new RegExp(`^${field}:(\\d+)`, 'm').exec(info) ?? [];
    return digits === undefined ? undefined : Number(digits);
  };
  return { classic: count('pubsub_channels'), shard: count('pubsubshard_channels') };
}

/** The number of subscribers of each channel on one node, in the order of `names`. */
export async function numsub(
  connection: CommandConnection,
  command: NumsubCommand,
  names: readonly ChannelName[],
): Promise<number[]> {
  const batches: Promise<number[]>[] = [];
  for (let start = 0; start < names.length; start += MAX_NAMES_PER_COMMAND) {
    const batch = names.slice(start, start + MAX_NAMES_PER_COMMAND);
    batches.push(connection.query((reply) => readCounts(reply, batch.length), 'PUBSUB', command, ...batch));
  }
  return (await Promise.all(batches)).flat();
}

/** The number of different patterns with subscribers on one node. */
export async function numpat(connection: CommandConnection): Promise<number> {
  return connection.query(readCount, 'PUBSUB', 'NUMPAT');
}

/** Sends a message to nobody in particular: not for the hot path. */
export async function publishOnce(
  connection: CommandConnection,
  command: 'PUBLISH' | 'SPUBLISH',
  channel: string,
): Promise<number> {
  return connection.query(readCount, command, channel, '');
}

function readText(reply: Reply): string | undefined {
  return Buffer.isBuffer(reply) ? reply.toString('latin1') : undefined;
}

function readCount(reply: Reply): number | undefined {
  return isCount(reply) ? reply : undefined;
}

function readNames(reply: Reply): readonly Buffer[] | undefined {
  return Array.isArray(reply) && reply.every((name) => Buffer.isBuffer(name)) ? reply : undefined;
}

/** The reply lists names and counts in turns. */
function readCounts(reply: Reply, names: number): number[] | undefined {
  if (!Array.isArray(reply) || reply.length !== names * 2) {
    return undefined;
  }
  const counts = (reply as readonly Reply[]).filter((_, index) => index % 2 === 1);
  return counts.every(isCount) ? counts : undefined;
}
