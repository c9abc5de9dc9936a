import { slotOf } from '../../pubsub/common/channel-name.js';
import type { MessageHandler } from '@nestjs/microservices';
import type { ChannelNames } from '../wire/channel-names.js';
import type { Engine } from '../connection/engine-events.js';
import type { HandlerEntry } from './handler-registry.js';
import { handlerSubscriptionsOf, type HandlerSubscription } from './handler-subscriptions.js';

const KIND_NAMES = { channel: 'classic', pattern: 'pattern', shard: 'sharded' } as const;

/**
 * What to write at start of the handlers of one pattern, a line each, as Nest's router does of routes:
 * `Mapped {order.create, request} (classic and sharded, slot 6513 at 10.0.0.2:6379)`.
 *
 * @internal
 */
export function mappedHandlerLines(entry: HandlerEntry, names: ChannelNames, engine: Engine): string[] {
  const lanes = handlerSubscriptionsOf(entry, names, engine.supportsSharded);
  const line = (type: string, taking: readonly HandlerSubscription[]): string =>
    `Mapped {${entry.route}, ${type}} (${kindsOf(taking)}, ${placeOf(taking, engine)})`;
  const lines: string[] = [];
  if (entry.request !== undefined) {
    lines.push(line('request', lanes));
  }
  for (const head of Object.values(entry.events) as MessageHandler[]) {
    const taking = lanes.filter(({ events }) => events.includes(head));
    for (let handler: MessageHandler | undefined = head; handler !== undefined;) {
      lines.push(line('event', taking));
      handler = handler.next as MessageHandler | undefined;
    }
  }
  return lines;
}

function kindsOf(lanes: readonly HandlerSubscription[]): string {
  return [...new Set(lanes.map(({ kind }) => KIND_NAMES[kind]))].join(' and ');
}

/** Of the first: the others share its name, but for one of Redis 6, or stand with all patterns at one node. */
function placeOf([lane]: readonly HandlerSubscription[], engine: Engine): string {
  if (lane === undefined) {
    return 'nowhere';
  }
  if (lane.nodes !== undefined) {
    return 'at all masters';
  }
  const node = engine.nodeOf(lane.name, lane.kind) ?? 'no node';
  return lane.kind === 'pattern' ? `at ${node}` : `slot ${String(slotOf(lane.name))} at ${node}`;
}
