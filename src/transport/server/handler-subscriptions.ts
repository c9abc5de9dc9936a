import type { MessageHandler } from '@nestjs/microservices';
import type {
  MessageHandler as MessageListener,
  SubscriptionKindName,
} from '../../pubsub/common/messages.js';
import type { Engine } from '../connection/engine-events.js';
import type { ChannelNames } from '../wire/channel-names.js';
import type { HandlerEntry } from './handler-registry.js';

/**
 * One subscription of a server with the handlers that its messages go to, resolved once at `listen()`: Nest looks a
 * handler up by JSON.parse of the channel name with every message.
 */
export interface HandlerSubscription {
  readonly kind: SubscriptionKindName;
  /** The channel or glob, as it is named on the cluster. */
  readonly name: string;
  /** The handler's pattern, for the context. */
  readonly route: string;
  /** Set where it stands at each master, and gets what Redis itself publishes there: no packets, and no prefix. */
  readonly nodes?: 'all-masters';
  /** Whether it is a channel of requests alone, which only clients of this package publish to. */
  readonly requestsOnly: boolean;
  readonly request: MessageHandler | undefined;
  /** The heads of the event handler chains. */
  readonly events: readonly MessageHandler[];
  /** An event came that nobody here handles; said once. */
  warned: boolean;
}

/**
 * Where the handlers of one pattern listen.
 *
 * - Requests of our clients come by shard channel to exact handlers, by a classic channel of their own to wildcard
 *   handlers (pattern subscriptions see classic messages only) and on Redis 6.
 * - Requests of stock Nest clients come by the classic channel of the pattern.
 * - Events come by that channel too, or by its shard channel, as the emitter chose.
 *
 * @internal
 */
export function handlerSubscriptionsOf(
  entry: HandlerEntry,
  names: ChannelNames,
  supportsSharded: boolean,
): HandlerSubscription[] {
  const { route, pattern, request } = entry;
  const { both, classic, sharded } = entry.events;
  if (entry.nodes !== undefined) {
    return [notificationLane(entry, entry.nodes)];
  }
  const lane = (
    kind: SubscriptionKindName,
    name: string,
    events: readonly (MessageHandler | undefined)[],
    requestsOnly = false,
  ): HandlerSubscription => ({
    kind,
    name,
    route,
    requestsOnly,
    request,
    events: events.filter((head) => head !== undefined),
    warned: false,
  });
  if (pattern.kind === 'wildcard') {
    const lanes = [lane('pattern', names.pattern(pattern.glob), [both, classic, sharded])];
    if (request !== undefined) {
      lanes.push(lane('pattern', names.requestPattern(pattern.glob), [], true));
    }
    return lanes;
  }
  const channel = names.channel(pattern.name);
  if (!supportsSharded) {
    const lanes = [lane('channel', channel, [both, classic, sharded])];
    if (request !== undefined) {
      lanes.push(lane('channel', names.request(pattern.name), [], true));
    }
    return lanes;
  }
  const lanes: HandlerSubscription[] = [];
  if ((request ?? both ?? classic) !== undefined) {
    lanes.push(lane('channel', channel, [both, classic]));
  }
  if ((request ?? both ?? sharded) !== undefined) {
    lanes.push(lane('shard', channel, [both, sharded]));
  }
  return lanes;
}

function notificationLane(
  { route, pattern, events }: HandlerEntry,
  nodes: 'all-masters',
): HandlerSubscription {
  return {
    kind: pattern.kind === 'wildcard' ? 'pattern' : 'channel',
    name: pattern.kind === 'wildcard' ? pattern.glob : pattern.name,
    route,
    nodes,
    requestsOnly: false,
    request: undefined,
    events: [events.both, events.classic].filter((head) => head !== undefined),
    warned: false,
  };
}

/** @internal */
export function handlerSubscriptionsOfAll(
  entries: Iterable<HandlerEntry>,
  names: ChannelNames,
  supportsSharded: boolean,
): HandlerSubscription[] {
  return [...entries].flatMap((entry) => handlerSubscriptionsOf(entry, names, supportsSharded));
}

/** What to tell of a handler that asks for sharded events where there are none for it. @internal */
export function fallbackWarning(entry: HandlerEntry, supportsSharded: boolean): string | undefined {
  const wildcard = entry.pattern.kind === 'wildcard';
  if (entry.events.sharded === undefined || (supportsSharded && !wildcard)) {
    return undefined;
  }
  const reason = wildcard
    ? 'wildcards see classic events only'
    : 'the cluster has none (Redis 7.0 and newer do)';
  return `The event handler of "${entry.route}" asks for sharded events, but ${reason}; it gets classic ones.`;
}

type Listeners = Record<SubscriptionKindName, [name: string, listener: MessageListener<'buffer'>][]>;

/**
 * Subscribes all handlers of a server; resolves when Redis has confirmed every subscription, rejects with the first
 * refusal.
 *
 * @internal
 */
export async function subscribeHandlers(
  engine: Engine,
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
