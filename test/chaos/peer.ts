import type { ClusterOptions } from 'ioredis';

/** A classic channel, a classic pattern, or a shard channel. */
export type LaneKind = 'channel' | 'pattern' | 'shard';

/** What one subscription is to: the unit in which messages are accounted for. */
export interface Lane {
  readonly kind: LaneKind;
  readonly name: string;
}

/** Where a message is published: a pattern cannot be published to. */
export interface Channel {
  readonly kind: 'channel' | 'shard';
  readonly name: string;
}

/**
 * What became of a publish in the publisher's eyes: Redis took it (and counted, where the peer can tell), it is certain
 * not to have been delivered, nobody can know, or it failed in a way that says neither.
 */
export type PublishResult =
  | { readonly outcome: 'taken'; readonly count?: number }
  | { readonly outcome: 'not-delivered' | 'unknown' | 'failed'; readonly code: string };

/** What became of a request: its answer, or the `code` (else the name) of the error. */
export type RequestResult = { readonly answer: string } | { readonly code: string };

/** An interval in which the peer says that its subscriptions may have missed messages. Times in ms since the epoch. */
export interface GapReport {
  readonly kind: LaneKind;
  readonly names: readonly string[];
  readonly since: number;
  readonly until: number;
  readonly missed?: number;
  readonly reason: string;
}

export interface PeerOptions {
  /** Startup nodes. Behind proxies these are the proxies. */
  readonly nodes: readonly { readonly host: string; readonly port: number }[];
  /** `natMap` and `slotsRefreshInterval`, where the scenario wants them. */
  readonly clusterOptions: Pick<ClusterOptions, 'natMap' | 'slotsRefreshInterval'>;
  /** Without stamps on the payloads; for peers that have none anyway, without meaning. */
  readonly raw: boolean;
  /** For the timeline: one line about something the peer has noticed. Keep it short; it may come often. */
  tell(event: string): void;
}

export type OnMessage = (lane: Lane, channel: string, payload: string) => void;
export type OnGap = (gap: GapReport) => void;

/**
 * A system under test, in a process of its own. Nothing here may throw because of a fault in the cluster, except `start`
 * and `subscribe`, which are called while it is whole.
 */
export interface Peer {
  start(): Promise<void>;
  /** Resolves when every lane stands. Called at most once, with lanes of the peer's own `kinds` only. */
  subscribe(lanes: readonly Lane[], onMessage: OnMessage, onGap: OnGap): Promise<void>;
  /** Called in the order of the messages and not awaited between them. Never rejects. */
  publish(channel: Channel, payload: string): Promise<PublishResult>;
  /** Answers requests on these patterns; a peer without requests leaves it out. */
  serve?(patterns: readonly string[], handler: (data: string) => string): Promise<void>;
  /** Never rejects. */
  request?(pattern: string, data: string): Promise<RequestResult>;
  /** Ends everything, so that the process ends by itself. */
  close(): Promise<void>;
}

/** What `peers/*.ts` export, one for each system under test; `peers/index.ts` lists them. */
export interface PeerDefinition {
  /** The lanes this system has. The traffic leaves out the others. */
  readonly kinds: readonly LaneKind[];
  readonly requests: boolean;
  create(options: PeerOptions): Peer;
}
