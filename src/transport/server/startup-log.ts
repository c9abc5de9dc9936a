import type { MessageHandler } from '@nestjs/microservices';
import { slotOf } from '../../pubsub/common/channel-name.js';
import type { TransportEngine } from '../connection/create-engine.js';
import type { ChannelNames } from '../wire/channel-names.js';
import type { HandlerEntry } from './handler-registry.js';
import { handlerSubscriptionsOf, type HandlerSubscription } from './handler-subscriptions.js';

const KIND_NAMES = { channel: 'classic', pattern: 'pattern', shard: 'sharded' } as const;

/**
 * The startup log lines for the handlers of one pattern, in the style of Nest's router:
 * `Mapped {order.create, request} (classic and sharded, slot 6513 at 10.0.0.2:6379)`.
 *
 * @internal
 */
export function mappedHandlerLines(
  entry: HandlerEntry,
  names: ChannelNames,
  engine: TransportEngine,
): string[] {
  const subscriptions = handlerSubscriptionsOf(entry, names, engine.supportsSharded);
  const line = (type: string, used: readonly HandlerSubscription[]): string =>
    `Mapped {${entry.route}, ${type}} (${kindsOf(used)}, ${locationOf(used, engine)})`;
  const lines: string[] = [];
  if (entry.request !== undefined) {
    lines.push(line('request', subscriptions));
  }
  for (const head of Object.values(entry.events) as MessageHandler[]) {
    const used = subscriptions.filter(({ events }) => events.includes(head));
    for (let handler: MessageHandler | undefined = head; handler !== undefined;) {
      lines.push(line('event', used));
      handler = handler.next as MessageHandler | undefined;
    }
  }
  return lines;
}

function kindsOf(subscriptions: readonly HandlerSubscription[]): string {
  return [...new Set(subscriptions.map(({ kind }) => KIND_NAMES[kind]))].join(' and ');
}

/** Of the first one: the others have the same name (but for requests on Redis 6), or share the node of all patterns. */
function locationOf([subscription]: readonly HandlerSubscription[], engine: TransportEngine): string {
  if (subscription === undefined) {
    return 'nowhere';
  }
  const { kind, name, nodes } = subscription;
  if (nodes !== undefined) {
    return 'at all masters';
  }
  const node = engine.nodeOf(name, kind) ?? 'no node';
  return kind === 'pattern' ? `at ${node}` : `slot ${String(slotOf(name))} at ${node}`;
}
