import type { Payload } from './loads/payload.js';
import type { Load } from './members/protocol.js';

/** The patterns that a server handles in an ordinary session. */
export const service = { requests: ['bench.ask'], events: ['bench.event'] } as const;

/** The patterns of a service of some size, used in turn. */
export const typical = { requests: patterns('bench.ask', 50), events: patterns('bench.event', 50) } as const;

export interface NamedLoad {
  readonly name: string;
  readonly load: Load;
}

export const requestsAt = (
  inFlight: number,
  payload: Payload = 32,
  patterns: readonly string[] = service.requests,
): Load => ({
  kind: 'requests',
  patterns,
  inFlight,
  payload,
});

export const eventsOf = (
  payload: Payload = 32,
  patterns: readonly string[] = service.events,
  receivers = 1,
): Load => ({
  kind: 'events',
  patterns,
  payload,
  receivers,
});

/** A typical payload, on {@link typical} patterns. */
export const typicalRequests: NamedLoad = {
  name: 'requests, order',
  load: requestsAt(256, 'order', typical.requests),
};

export const requestLoads: readonly NamedLoad[] = [
  ...[1, 64, 256].map((inFlight) => ({ name: `requests@${inFlight}`, load: requestsAt(inFlight) })),
  typicalRequests,
];

export const eventLoads: readonly NamedLoad[] = [
  { name: 'events', load: eventsOf() },
  { name: 'events, order', load: eventsOf('order', typical.events) },
];

/** The loads of the profile; `undisturbed` is the same without a profiler. */
export const profiledLoads: readonly (NamedLoad & { readonly undisturbed: string })[] = [
  { name: 'profile', load: requestsAt(256), undisturbed: 'requests@256' },
  { name: 'profile, order', load: typicalRequests.load, undisturbed: typicalRequests.name },
];

export const sizes = [
  { words: '1 KiB', bytes: 1_024 },
  { words: '64 KiB', bytes: 65_536 },
] as const;

/** Fewer in flight at 64 KiB: Redis disconnects a subscriber that leaves 32 MB unread. */
export const largeRequestLoads: readonly NamedLoad[] = sizes.map(({ words, bytes }) => ({
  name: `requests, ${words}`,
  load: requestsAt(bytes > 10_000 ? 32 : 256, bytes),
}));

export const largeEventLoads: readonly NamedLoad[] = sizes.map(({ words, bytes }) => ({
  name: `events, ${words}`,
  load: eventsOf(bytes),
}));

export function patterns(name: string, count: number): string[] {
  return Array.from({ length: count }, (_, index) => `${name}.${index}`);
}
