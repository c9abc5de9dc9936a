import type { Place } from '../arm.js';
import type { ArmName } from '../arms/index.js';
import type { Shares } from './profile.js';

/** What a server is to handle; an event pattern may have many servers. */
export interface ServerSetup {
  readonly arm: ArmName;
  readonly place: Place;
  readonly requests: readonly string[];
  readonly events: readonly string[];
  /** Socket of the client that wants to hear how many events have been handled. */
  readonly receipts?: string;
}

export interface ClientSetup {
  readonly arm: ArmName;
  readonly place: Place;
  /** Where to listen for the receipts of events. */
  readonly receipts?: string;
}

export type Load =
  /** As many requests as can be answered with so many under way. */
  | {
      readonly kind: 'requests';
      readonly patterns: readonly string[];
      readonly inFlight: number;
      readonly payload: number;
    }
  /** As many events as can be received. */
  | {
      readonly kind: 'events';
      readonly patterns: readonly string[];
      readonly payload: number;
      readonly receivers: number;
    }
  /** So many requests a second, whether or not the answers keep up. */
  | {
      readonly kind: 'rate';
      readonly patterns: readonly string[];
      readonly perSecond: number;
      readonly payload: number;
    };

/** What a process says of itself at one moment. Counters only grow; two marks make a window. */
export interface Mark {
  /** ms, of this process's own clock. */
  readonly at: number;
  /** A client: requests answered, events emitted. A server: requests and events handled. */
  readonly done: number;
  /** μs of user and system time. */
  readonly cpu: number;
  /** Read and written by the sockets it has connected. */
  readonly bytes: number;
  readonly rss: number;
  readonly arrivals: number | undefined;
  /** Since the last mark, in ms: how late the event loop was, and how long the requests took at a fixed rate. */
  readonly loopDelay: number;
  readonly latency: Latency | undefined;
}

export interface Latency {
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
}

/** What became of a load, from its beginning. */
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
  /** Ends the load; resolves when nothing is under way any more, or nothing more can be hoped for. */
  stop(): Outcome;
  /** From now on it notes where it spends its time. */
  startProfile(): void;
  stopProfile(): Shares;
  close(): void;
}

export type OrderName = keyof Orders;
export type Argument = ServerSetup | ClientSetup | Load;

export interface Order {
  readonly id: number;
  readonly order: OrderName;
  readonly argument?: Argument;
}

export type FromMember =
  | { readonly type: 'ready' }
  | { readonly type: 'done'; readonly id: number; readonly result?: unknown; readonly error?: string };
