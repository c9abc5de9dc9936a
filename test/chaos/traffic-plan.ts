import type { Channel, Subscription, SubscriptionKind } from './peer.js';

/** Channels and patterns of a run. */
export const COUNTS = { channels: 150, shardChannels: 150, patterns: 20, channelsPerPattern: 5 } as const;

const prefix = 'chaos';

export interface TrafficPlan {
  /** The subscriptions of every subscriber. */
  readonly subscriptions: readonly Subscription[];
  /** The channels of every publisher; some are matched by a pattern only. */
  readonly channels: readonly Channel[];
}

/** Of the channels and patterns of each kind, one in this many is for messages without numbers. */
const RAW_SHARE = 5;

const RAW_MARK = '.raw.';

/** Messages on a channel with this name, or one that a pattern with this name matches, have no numbers of the library. */
export function isRaw(name: string): boolean {
  return name.includes(RAW_MARK);
}

/** Plans a run with the kinds of subscriptions that the system under test has. */
export function trafficPlanFor(kinds: readonly SubscriptionKind[]): TrafficPlan {
  const { channels, shardChannels, patterns, channelsPerPattern } = COUNTS;
  const named = (
    kind: Subscription['kind'],
    count: number,
    name: (index: number) => string,
  ): Subscription[] =>
    kinds.includes(kind)
      ? Array.from({ length: count }, (_, index) => {
          const mark = index % RAW_SHARE === 0 ? RAW_MARK : '.';
          return { kind, name: name(index).replace('.', mark) };
        })
      : [];
  const classic = named('channel', channels, (index) => `${prefix}.news.${index}`) as Channel[];
  const sharded = named('shard', shardChannels, (index) => `${prefix}.orders.${index}`) as Channel[];
  const globs = named('pattern', patterns, (index) => `${prefix}.log.${index}.*`);
  const matched = globs.flatMap(({ name }) =>
    Array.from({ length: channelsPerPattern }, (_, index): Channel => {
      return { kind: 'channel', name: name.replace('*', String(index)) };
    }),
  );
  return {
    subscriptions: [...classic, ...sharded, ...globs],
    // Dealt out in turn, so that each moment of a run has messages of every kind.
    channels: interleave(classic, sharded, matched),
  };
}

/** Returns true if a message on `channel` belongs to `subscription`. Our patterns have one star, at the end. */
export function covers(subscription: Subscription, channel: Channel): boolean {
  if (subscription.kind !== 'pattern')
    return subscription.kind === channel.kind && subscription.name === channel.name;
  return channel.kind === 'channel' && channel.name.startsWith(subscription.name.slice(0, -1));
}

/** The request patterns that only this server answers. */
export function requestPatternsOf(server: number): string[] {
  return Array.from({ length: 5 }, (_, index) => `${prefix}.ask.${server}.${index}`);
}

function interleave<T>(...lists: readonly (readonly T[])[]): T[] {
  const longest = Math.max(0, ...lists.map((list) => list.length));
  return Array.from({ length: longest }, (_, index) =>
    lists.flatMap((list) => (index < list.length ? [list[index] as T] : [])),
  ).flat();
}
