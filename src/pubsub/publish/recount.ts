import { sum } from '../../util/arrays.js';
import type { NodeKey } from '../common/node-address.js';
import type { CommandConnectionPool } from '../connection/command-connection-pool.js';
import { numsub } from '../connection/pubsub-commands.js';
import type { Topology } from '../topology/topology.js';
import { publishFailure, type PublishRequest, type PublishRequestListener } from './publish-request.js';

/** What {@link recount} needs to know. */
export interface RecountDeps {
  readonly topology: Topology;
  readonly connections: CommandConnectionPool;
  readonly listener: PublishRequestListener;
}

/**
 * Settles messages of one channel that reached fewer subscribers at `node` than the `expected` ones (their
 * `unverifiedCount`), and that cannot be published again: receivers would get both.
 *
 * - A classic message reaches subscribers wherever they are, but the node counts its own. While a slot moves they may be at
 *   its owner or a former one, so these are asked.
 * - A message to a shard channel is counted by the owner. A demoted master counts nobody, and passes it on to a successor
 *   that may have had subscribers or not: the outcome is unknown.
 *
 * @param others the owner and the former owners of the slot, without `node`
 */
export async function recount(
  { topology, connections, listener }: RecountDeps,
  requests: readonly PublishRequest[],
  node: NodeKey,
  others: readonly NodeKey[],
  expected: number,
): Promise<void> {
  const channel = requests[0]?.outgoingChannel;
  if (channel === undefined) {
    return;
  }
  const countAt = async (other: NodeKey): Promise<number> => {
    const counts = await numsub(await connections.connect(other), 'NUMSUB', [channel.channel]);
    return counts[0] ?? 0;
  };
  try {
    let elsewhere = 0;
    if (channel.command === 'PUBLISH') {
      const owner = topology.ownerOf(channel.slot);
      // A former owner may be gone, and its subscribers with it.
      const countIfThere = (other: NodeKey): Promise<number> =>
        other === owner ? countAt(other) : countAt(other).catch(() => 0);
      elsewhere = sum(await Promise.all(others.map(countIfThere)));
    } else if (topology.ownerOf(channel.slot) !== node && !topology.masters.includes(node)) {
      // A master that has other slots refuses those that it does not own; this one is no master any more.
      throw new Error('the slot had moved, so the node could not count the subscribers');
    }
    for (const request of requests) {
      const count = request.unverifiedCount ?? 0;
      // A subscriber on its way is at two nodes.
      const total = Math.max(count, Math.min(expected, count + elsewhere));
      channel.note(total);
      request.resolveSoon(total);
    }
  } catch (error) {
    for (const request of requests) {
      request.outcomeUnknown = true;
      listener.fail(request, publishFailure(request, node, error));
    }
  }
}
