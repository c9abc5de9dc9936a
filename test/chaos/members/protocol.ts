import type { Delivery, Publication, RequestRecord } from '../evidence.js';
import type { GapReport, Subscription, PeerOptions } from '../peer.js';
import type { PeerName } from '../peers/index.js';

/** The configuration of a member, sent once the cluster is there. */
export interface Setup {
  readonly name: string;
  readonly peer: PeerName;
  readonly options: Omit<PeerOptions, 'log'>;
  readonly role: PublisherRole | SubscriberRole;
}

export interface PublisherRole {
  readonly kind: 'publisher';
  /** Messages and requests a second, over all channels and patterns. */
  readonly rate: number;
  readonly requestRate: number;
  /** Numbers of the servers to which it sends requests. */
  readonly servers: readonly number[];
}

export interface SubscriberRole {
  readonly kind: 'subscriber';
  readonly server: number;
}

/** The record of a member since its last report. */
export interface Report {
  readonly publications: readonly Publication[];
  readonly requests: readonly RequestRecord[];
  readonly subscriptions: readonly Subscription[];
  readonly deliveries: readonly Delivery[];
  readonly gaps: readonly GapReport[];
  readonly handled: ReadonlyMap<string, number>;
}

/** The orders of the parent, with what each returns. */
export interface Orders {
  /** Connects; a subscriber subscribes and serves. */
  setUp(setup: Setup): void;
  /** Starts the traffic. */
  publish(): void;
  /** Ends the traffic; done when nothing is in flight any more, or after a limit. */
  rest(): void;
  report(): Report;
  close(): void;
}

export type OrderName = keyof Orders;

export interface Order {
  readonly id: number;
  readonly order: OrderName;
  readonly argument?: Setup;
}

export type FromMember =
  | { readonly type: 'ready' }
  | { readonly type: 'done'; readonly id: number; readonly result?: Report; readonly error?: string }
  | { readonly type: 'event'; readonly at: number; readonly text: string }
  | { readonly type: 'misconduct'; readonly text: string };

export const emptyReport: Report = {
  publications: [],
  requests: [],
  subscriptions: [],
  deliveries: [],
  gaps: [],
  handled: new Map(),
};
