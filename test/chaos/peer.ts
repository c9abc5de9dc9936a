import type { ClusterOptions } from 'ioredis';

/** A classic channel, a classic pattern, or a shard channel. */
export type SubscriptionKind = 'channel' | 'pattern' | 'shard';

/** One subscription: the unit in which messages are accounted for. */
export interface Subscription {
  readonly kind: SubscriptionKind;
  readonly name: string;
}

/** The channel of a message. Patterns cannot be published to. */
export interface Channel {
  readonly kind: 'channel' | 'shard';
  readonly name: string;
}

/**
 * The outcome of a publish for its publisher: accepted by Redis (with the count, where the peer reports it), certainly not
 * delivered, of unknown outcome, or failed without saying which.
 */
export type PublishResult =
  | { readonly outcome: 'taken'; readonly count?: number }
  | { readonly outcome: 'not-delivered' | 'unknown' | 'failed'; readonly code: string };

/** The outcome of a request: its reply, or the `code` (else the name) of the error. */
export type RequestResult = { readonly answer: string } | { readonly code: string };

/** An interval in which subscriptions may have missed messages, as the peer reports it. Times in ms since the epoch. */
export interface GapReport {
  readonly kind: SubscriptionKind;
  readonly names: readonly string[];
  readonly since: number;
  readonly until: number;
  readonly missed?: number;
  readonly reason: string;
}

export interface PeerOptions {
  /** Startup nodes. Behind proxies these are the proxies. */
  readonly nodes: readonly { readonly host: string; readonly port: number }[];
  /** `natMap` and `slotsRefreshInterval`, where the scenario sets them. */
  readonly clusterOptions: Pick<ClusterOptions, 'natMap' | 'slotsRefreshInterval'>;
  /** Publishes without stamps on the payloads; no effect on peers that never have any. */
  readonly raw: boolean;
  /** Adds a line to the timeline about an event of the peer. Keep it short; it may be frequent. */
  log(event: string): void;
}

export type OnMessage = (subscription: Subscription, channel: string, payload: string) => void;
export type OnGap = (gap: GapReport) => void;

/**
 * A system under test, in a process of its own. Nothing here may throw because of a fault in the cluster, except `start`
 * and `subscribe`, which are called while it is whole.
 */
export interface Peer {
  start(): Promise<void>;
  /** Resolves when all are confirmed. Called at most once, with subscriptions of the peer's own `kinds` only. */
  subscribe(subscriptions: readonly Subscription[], onMessage: OnMessage, onGap: OnGap): Promise<void>;
  /** Called in the order of the messages and not awaited between them. Never rejects. */
  publish(channel: Channel, payload: string): Promise<PublishResult>;
  /** Answers requests on these patterns; left out by a peer without requests. */
  serve?(patterns: readonly string[], handler: (data: string) => string): Promise<void>;
  /** Never rejects. */
  request?(pattern: string, data: string): Promise<RequestResult>;
  /** Ends everything, so that the process ends by itself. */
  close(): Promise<void>;
}

/** The export of each file in `peers/`, one for each system under test; `peers/index.ts` lists them. */
export interface PeerDefinition {
  /** The kinds of subscriptions that this system has. The traffic leaves out the others. */
  readonly kinds: readonly SubscriptionKind[];
  readonly requests: boolean;
  create(options: PeerOptions): Peer;
}
