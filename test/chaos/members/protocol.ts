import type { Delivery, Publication, RequestRecord } from '../evidence.js';
import type { GapReport, Lane, PeerOptions } from '../peer.js';
import type { PeerName } from '../peers/index.js';

/** How a member is set up, once the cluster is there. */
export interface Setup {
  readonly name: string;
  readonly peer: PeerName;
  readonly options: Omit<PeerOptions, 'tell'>;
  readonly role: PublisherRole | SubscriberRole;
}

export interface PublisherRole {
  readonly kind: 'publisher';
  /** Messages and requests a second, over all channels and patterns. */
  readonly rate: number;
  readonly requestRate: number;
  /** Of which servers (by their number) it asks the patterns. */
  readonly servers: readonly number[];
}

export interface SubscriberRole {
  readonly kind: 'subscriber';
  readonly server: number;
}

/** What a member has seen since the last report. */
export interface Report {
  readonly publications: readonly Publication[];
  readonly requests: readonly RequestRecord[];
  readonly lanes: readonly Lane[];
  readonly deliveries: readonly Delivery[];
  readonly gaps: readonly GapReport[];
  readonly handled: ReadonlyMap<string, number>;
}

/** What the parent may order, and what it gets back. */
export interface Orders {
  /** Connects; a subscriber subscribes and serves. */
  setUp(setup: Setup): void;
  /** Lets the traffic begin. */
  publish(): void;
  /** Ends the traffic; done when nothing is under way any more, or nothing more can be hoped for. */
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
  lanes: [],
  deliveries: [],
  gaps: [],
  handled: new Map(),
};
