import type { Load } from './members/protocol.js';

/** The patterns that a server handles in an ordinary session. */
export const service = { requests: ['bench.ask'], events: ['bench.event'] } as const;

export interface NamedLoad {
  readonly name: string;
  readonly load: Load;
}

export const requestsAt = (
  inFlight: number,
  payload = 32,
  patterns: readonly string[] = service.requests,
): Load => ({
  kind: 'requests',
  patterns,
  inFlight,
  payload,
});

export const eventsOf = (
  payload = 32,
  patterns: readonly string[] = service.events,
  receivers = 1,
): Load => ({
  kind: 'events',
  patterns,
  payload,
  receivers,
});

export const requestLoads: readonly NamedLoad[] = [1, 64, 256].map((inFlight) => ({
  name: `requests@${inFlight}`,
  load: requestsAt(inFlight),
}));

export const eventLoads: readonly NamedLoad[] = [{ name: 'events', load: eventsOf() }];

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
