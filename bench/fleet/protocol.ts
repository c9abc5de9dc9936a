import type { Kind, Place } from './service.js';

/** Services to start: those of the given number, and `count` in all. */
export interface Start {
  readonly kind: Kind;
  readonly place: Place;
  readonly first: number;
  readonly count: number;
}

/** Bytes after a garbage collection. */
export interface MemoryUse {
  readonly heap: number;
  readonly rss: number;
}

/** The orders of a process with services. */
export interface FleetOrders {
  /** Starts services at once; of each the time in ms until its first request was answered. */
  start(services: Start): readonly number[];
  /** Requests of each service until one is answered; the times of the answers, in ms since 1970. */
  askUntilAnswered(): readonly number[];
  memory(): MemoryUse;
  /** Closes all services. */
  stop(): void;
}
