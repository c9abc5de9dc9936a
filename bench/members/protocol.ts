import type { Place } from '../arm.js';
import type { ArmName } from '../arms/index.js';
import type { Payload } from '../loads/payload.js';
import type { Shares } from './profile.js';

/** The arm and the patterns of a server; an event pattern may have many servers. */
export interface ServerSetup {
  readonly arm: ArmName;
  readonly place: Place;
  readonly requests: readonly string[];
  readonly events: readonly string[];
  /** Socket of the client that receives the counts of handled events. */
  readonly receipts?: string;
}

export interface ClientSetup {
  readonly arm: ArmName;
  readonly place: Place;
  /** Where to listen for the receipts of events. */
  readonly receipts?: string;
}

export type Load =
  /** A closed loop with a fixed number of requests in flight. */
  | {
      readonly kind: 'requests';
      readonly patterns: readonly string[];
      readonly inFlight: number;
      readonly payload: Payload;
    }
  /** Events as fast as they are received. */
  | {
      readonly kind: 'events';
      readonly patterns: readonly string[];
      readonly payload: Payload;
      readonly receivers: number;
    }
  /** A fixed rate of requests, whether or not the answers keep up. */
  | {
      readonly kind: 'rate';
      readonly patterns: readonly string[];
      readonly perSecond: number;
      readonly payload: Payload;
    };

/** The counters of a process at one moment. They only grow; two marks make a window. */
export interface Mark {
  /** In ms, by the clock of this process. */
  readonly at: number;
  /** A client: requests answered, events emitted. A server: requests and events handled. */
  readonly done: number;
  /** μs of user and system time. */
  readonly cpu: number;
  /** Bytes read and written by the sockets it has connected. */
  readonly bytes: number;
  readonly rss: number;
  readonly arrivals: number | undefined;
  /** Since the last mark, in ms: how late the event loop was, and how long the requests took. */
  readonly loopDelay: number;
  readonly latency: Latency | undefined;
}

export interface Latency {
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
}

/** Totals of a load since its start. */
export interface Outcome {
  readonly sent: number;
  readonly arrived: number;
  readonly failed: number;
  readonly firstError?: string;
}

export interface Orders {
  serve(setup: ServerSetup): void;
  /** Resolves after one answer from each of the requests' patterns, and one receipt of each of the events'. */
  connect(setup: ClientSetup): void;
  begin(load: Load): void;
  mark(): Mark;
  /** Ends the load; resolves when nothing is in flight, or the time for that is over. */
  stop(): Outcome;
  /** Starts the profiler. */
  startProfile(): void;
  stopProfile(): Shares;
  close(): void;
}

export type OrderName = keyof Orders;

export interface Order<Name> {
  readonly id: number;
  readonly order: Name;
  readonly argument?: unknown;
}

export type FromMember =
  | { readonly type: 'ready' }
  | { readonly type: 'done'; readonly id: number; readonly result?: unknown; readonly error?: string };
