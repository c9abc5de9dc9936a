import type { MessageHandler } from '@nestjs/microservices';
import type {
  MessageHandler as MessageListener,
  SubscriptionKindName,
} from '../../pubsub/common/messages.js';
import type { TransportEngine } from '../connection/create-engine.js';
import type { ChannelNames } from '../wire/channel-names.js';
import type { HandlerEntry } from './handler-registry.js';

/**
 * One subscription of a server with the handlers of its messages, resolved once at `listen()`: Nest calls JSON.parse on
 * the channel name of every message to find a handler.
 */
export interface HandlerSubscription {
  readonly kind: SubscriptionKindName;
  /** The channel or glob, as it is named on the cluster. */
  readonly name: string;
  /** The handler's pattern, for the context. */
  readonly route: string;
  /** Set if subscribed at each master, for what Redis itself publishes there: neither packets nor a prefix. */
  readonly nodes: 'all-masters' | undefined;
  /** A channel of requests alone, to which only clients of this package publish. */
  readonly requestsOnly: boolean;
  readonly request: MessageHandler | undefined;
  /** The heads of the event handler chains. */
  readonly events: readonly MessageHandler[];
  /** The warning about an event without a handler has been logged. */
  warned: boolean;
}

/**
 * The subscriptions for the handlers of one pattern.
 *
 * - Requests of our clients arrive on a shard channel for exact handlers, on a classic channel of their own for wildcard
 *   handlers (pattern subscriptions match classic messages only) and on Redis 6.
 * - Requests of stock Nest clients arrive on the classic channel of the pattern.
 * - Events arrive on that channel too, or on its shard channel, as the emitter chooses.
 *
 * @internal
 */
export function handlerSubscriptionsOf(
  entry: HandlerEntry,
  names: ChannelNames,
  supportsSharded: boolean,
): HandlerSubscription[] {
  const { route, pattern, nodes, request } = entry;
  const { both, classic, sharded } = entry.events;
  const create = (
    kind: SubscriptionKindName,
    name: string,
    events: readonly (MessageHandler | undefined)[],
    requestsOnly = false,
  ): HandlerSubscription => ({
    kind,
    name,
    route,
    nodes,
    requestsOnly,
    request,
    events: events.filter((head) => head !== undefined),
    warned: false,
  });
  if (nodes !== undefined) {
    return pattern.kind === 'wildcard'
      ? [create('pattern', pattern.glob, [both, classic])]
      : [create('channel', pattern.name, [both, classic])];
  }
  const subscriptions: HandlerSubscription[] = [];
  if (pattern.kind === 'wildcard') {
    subscriptions.push(create('pattern', names.pattern(pattern.glob), [both, classic, sharded]));
    if (request !== undefined) {
      subscriptions.push(create('pattern', names.requestPattern(pattern.glob), [], true));
    }
    return subscriptions;
  }
  const channel = names.channel(pattern.name);
  if (!supportsSharded) {
    subscriptions.push(create('channel', channel, [both, classic, sharded]));
    if (request !== undefined) {
      subscriptions.push(create('channel', names.request(pattern.name), [], true));
    }
    return subscriptions;
  }
  if ((request ?? both ?? classic) !== undefined) {
    subscriptions.push(create('channel', channel, [both, classic]));
  }
  if ((request ?? both ?? sharded) !== undefined) {
    subscriptions.push(create('shard', channel, [both, sharded]));
  }
  return subscriptions;
}

/** @internal */
export function handlerSubscriptionsOfAll(
  entries: Iterable<HandlerEntry>,
  names: ChannelNames,
  supportsSharded: boolean,
): HandlerSubscription[] {
  return [...entries].flatMap((entry) => handlerSubscriptionsOf(entry, names, supportsSharded));
}

/** The warning for a handler that requests sharded events where none can arrive. @internal */
export function fallbackWarning(entry: HandlerEntry, supportsSharded: boolean): string | undefined {
  const wildcard = entry.pattern.kind === 'wildcard';
  if (entry.events.sharded === undefined || (supportsSharded && !wildcard)) {
    return undefined;
  }
  const reason = wildcard
    ? 'wildcards match classic events only'
    : 'the cluster does not support sharded pub/sub (Redis 7.0)';
  return `@EventPattern("${entry.route}") requests sharded events, but ${reason}; subscribing to classic events.`;
}

type Listeners = Record<SubscriptionKindName, [name: string, listener: MessageListener<'buffer'>][]>;

/**
 * Subscribes all handlers of a server; resolves when Redis has confirmed every subscription, rejects with the first
 * refusal.
 *
 * @internal
 */
export async function subscribeHandlers(
  engine: TransportEngine,
  subscriptions: Iterable<HandlerSubscription>,
  listenerOf: (subscription: HandlerSubscription) => MessageListener<'buffer'>,
): Promise<void> {
  const owners: Listeners = { channel: [], pattern: [], shard: [] };
  const allMasters: Listeners = { channel: [], pattern: [], shard: [] };
  for (const subscription of subscriptions) {
    const { kind, name, nodes } = subscription;
    (nodes === undefined ? owners : allMasters)[kind].push([name, listenerOf(subscription)]);
  }
  const { channel, pattern, shard } = owners;
  const options = { nodes: 'all-masters' } as const;
  await Promise.all([
    channel.length > 0 && engine.subscribe(Object.fromEntries(channel)),
    pattern.length > 0 && engine.psubscribe(Object.fromEntries(pattern)),
    shard.length > 0 && engine.ssubscribe(Object.fromEntries(shard)),
    allMasters.channel.length > 0 && engine.subscribe(Object.fromEntries(allMasters.channel), options),
    allMasters.pattern.length > 0 && engine.psubscribe(Object.fromEntries(allMasters.pattern), options),
  ]);
}
