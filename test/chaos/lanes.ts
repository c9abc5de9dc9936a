import type { Channel, Lane, LaneKind } from './peer.js';

/** How many of each there are. */
export const laneCounts = { channels: 150, shardChannels: 150, patterns: 20, channelsPerPattern: 5 } as const;

const prefix = 'chaos';

export interface Lanes {
  /** What every subscriber subscribes to. */
  readonly lanes: readonly Lane[];
  /** What every publisher publishes to: the channels, and those that only a pattern listens to. */
  readonly channels: readonly Channel[];
}

/** The lanes of one run, as far as the system under test has them. */
export function lanesFor(kinds: readonly LaneKind[]): Lanes {
  const { channels, shardChannels, patterns, channelsPerPattern } = laneCounts;
  const named = (kind: Lane['kind'], count: number, name: (index: number) => string): Lane[] =>
    kinds.includes(kind) ? Array.from({ length: count }, (_, index) => ({ kind, name: name(index) })) : [];
  const classic = named('channel', channels, (index) => `${prefix}.news.${index}`) as Channel[];
  const sharded = named('shard', shardChannels, (index) => `${prefix}.orders.${index}`) as Channel[];
  const globs = named('pattern', patterns, (index) => `${prefix}.log.${index}.*`);
  const matched = globs.flatMap(({ name }) =>
    Array.from({ length: channelsPerPattern }, (_, index): Channel => {
      return { kind: 'channel', name: name.replace('*', String(index)) };
    }),
  );
  return {
    lanes: [...classic, ...sharded, ...globs],
    // Dealt out in turn, so that each moment of a run has messages of every kind.
    channels: interleave(classic, sharded, matched),
  };
}

/** Whether a message on `channel` belongs to `lane`. Our patterns have one star, at the end. */
export function covers(lane: Lane, channel: Channel): boolean {
  if (lane.kind !== 'pattern') return lane.kind === channel.kind && lane.name === channel.name;
  return channel.kind === 'channel' && channel.name.startsWith(lane.name.slice(0, -1));
}

/** The patterns of requests that one server answers, and no other does. */
export function requestPatternsOf(server: number): string[] {
  return Array.from({ length: 5 }, (_, index) => `${prefix}.ask.${server}.${index}`);
}

function interleave<T>(...lists: readonly (readonly T[])[]): T[] {
  const longest = Math.max(0, ...lists.map((list) => list.length));
  return Array.from({ length: longest }, (_, index) =>
    lists.flatMap((list) => (index < list.length ? [list[index] as T] : [])),
  ).flat();
}
