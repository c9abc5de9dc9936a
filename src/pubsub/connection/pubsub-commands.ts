import { keyOfBytes, PROBE_MARK, type ChannelKey, type ChannelName } from '../common/channel-name.js';
import type { Reply } from '../resp/reply.js';
import type { CommandConnection } from './command-connection.js';

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
  const reply = await connection.call('PUBSUB', command, ...(pattern === undefined ? [] : [pattern]));
  return (reply as readonly Buffer[]).map(keyOfBytes).filter((name) => !name.includes(PROBE_MARK));
}

/** The number of subscribers of each channel on one node, in the order of `names`. */
export async function numsub(
  connection: CommandConnection,
  command: NumsubCommand,
  names: readonly ChannelName[],
): Promise<number[]> {
  const batches: Promise<Reply>[] = [];
  for (let start = 0; start < names.length; start += MAX_NAMES_PER_COMMAND) {
    const batch = names.slice(start, start + MAX_NAMES_PER_COMMAND);
    batches.push(connection.call('PUBSUB', command, ...batch));
  }
  // The reply lists names and counts in turns.
  return (await Promise.all(batches)).flatMap((reply) =>
    (reply as readonly Reply[]).filter((_, index) => index % 2 === 1).map(Number),
  );
}

/** The number of different patterns with subscribers on one node. */
export async function numpat(connection: CommandConnection): Promise<number> {
  return Number(await connection.call('PUBSUB', 'NUMPAT'));
}
