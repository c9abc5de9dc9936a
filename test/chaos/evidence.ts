import type { Channel, GapReport, Lane, PublishResult } from './peer.js';

/** One publish, in the publisher's own words. Times in ms since the epoch: all processes share the machine's clock. */
export interface Publication {
  readonly publisher: string;
  readonly channel: Channel;
  /** Counts this publisher's messages on this channel, from 0. */
  readonly n: number;
  readonly started: number;
  /** When its outcome was known; for one that is `pending`, when it was asked for the last time. */
  readonly ended: number;
  readonly outcome: PublishResult['outcome'] | 'pending';
  readonly code?: string;
  readonly count?: number;
}

/** One call of a subscriber's handler. */
export interface Delivery {
  readonly lane: Lane;
  readonly channel: string;
  readonly publisher: string;
  readonly n: number;
  readonly at: number;
}

/** What one subscriber has to tell: its deliveries in the order in which they came. */
export interface SubscriberEvidence {
  readonly name: string;
  readonly lanes: readonly Lane[];
  readonly deliveries: readonly Delivery[];
  readonly gaps: readonly GapReport[];
}

export interface RequestRecord {
  readonly id: string;
  readonly started: number;
  readonly ended: number;
  /** `answered`, `wrong` (somebody else's answer), `pending` (never settled), or the code of the error. */
  readonly outcome: string;
}

export interface Evidence {
  readonly publications: readonly Publication[];
  readonly subscribers: readonly SubscriberEvidence[];
  readonly requests: readonly RequestRecord[];
  /** How often a handler ran for each request it got, by the request's id. */
  readonly handled: ReadonlyMap<string, number>;
}

/** A process that is no credit to the system under test: an unhandled rejection, or it did not end when closed. */
export interface Misconduct {
  readonly who: string;
  readonly what: string;
}
