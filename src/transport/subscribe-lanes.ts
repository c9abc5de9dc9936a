import type { MessageHandler } from '../pubsub/message.js';
import type { Engine } from './engine-events.js';
import type { Receiver } from './receiver.js';
import type { ServerLane } from './server-lanes.js';

/**
 * Subscribes all lanes of a server; resolves when Redis has confirmed them, rejects with the first refusal.
 *
 * @internal
 */
export async function subscribeLanes(
  engine: Engine,
  lanes: Iterable<ServerLane>,
  receiver: Receiver,
): Promise<void> {
  const handlers: Record<ServerLane['kind'], [name: string, handler: MessageHandler<'buffer'>][]> = {
    channel: [],
    pattern: [],
    shard: [],
  };
  for (const lane of lanes) {
    handlers[lane.kind].push([lane.name, (message, node) => receiver.receive(lane, message, node)]);
  }
  const { channel, pattern, shard } = handlers;
  await Promise.all([
    channel.length > 0 && engine.subscribe(Object.fromEntries(channel)),
    pattern.length > 0 && engine.psubscribe(Object.fromEntries(pattern)),
    shard.length > 0 && engine.ssubscribe(Object.fromEntries(shard)),
  ]);
}
