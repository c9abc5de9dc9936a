import type { MessageHandler } from '../../pubsub/common/messages.js';
import type { Engine } from '../connection/engine-events.js';
import type { MessageRouter } from './message-router.js';
import type { HandlerSubscription } from './handler-subscriptions.js';

type Handlers = Record<HandlerSubscription['kind'], [name: string, handler: MessageHandler<'buffer'>][]>;

/**
 * Subscribes all lanes of a server; resolves when Redis has confirmed them, rejects with the first refusal.
 *
 * @internal
 */
export async function subscribeHandlers(
  engine: Engine,
  lanes: Iterable<HandlerSubscription>,
  receiver: MessageRouter,
): Promise<void> {
  const home: Handlers = { channel: [], pattern: [], shard: [] };
  const atAllMasters: Handlers = { channel: [], pattern: [], shard: [] };
  for (const lane of lanes) {
    const handlers = lane.nodes === undefined ? home : atAllMasters;
    handlers[lane.kind].push([lane.name, (message, node) => receiver.receive(lane, message, node)]);
  }
  const { channel, pattern, shard } = home;
  const { channel: everyChannel, pattern: everyPattern } = atAllMasters;
  const options = { nodes: 'all-masters' } as const;
  await Promise.all([
    channel.length > 0 && engine.subscribe(Object.fromEntries(channel)),
    pattern.length > 0 && engine.psubscribe(Object.fromEntries(pattern)),
    shard.length > 0 && engine.ssubscribe(Object.fromEntries(shard)),
    everyChannel.length > 0 && engine.subscribe(Object.fromEntries(everyChannel), options),
    everyPattern.length > 0 && engine.psubscribe(Object.fromEntries(everyPattern), options),
  ]);
}
