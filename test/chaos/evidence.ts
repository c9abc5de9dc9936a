import type { Channel, GapReport, Subscription, PublishResult } from './peer.js';

/** One publish, as its publisher recorded it. Times in ms since the epoch: all processes share the machine's clock. */
export interface Publication {
  readonly publisher: string;
  readonly channel: Channel;
  /** Counts this publisher's messages on this channel, from 0. */
  readonly n: number;
  readonly started: number;
  /** When its outcome was known; for one that is `pending`, when the publisher last reported. */
  readonly ended: number;
  readonly outcome: PublishResult['outcome'] | 'pending';
  readonly code?: string;
  readonly count?: number;
}

/** One call of a subscriber's handler. */
export interface Delivery {
  readonly subscription: Subscription;
  readonly channel: string;
  readonly publisher: string;
  readonly n: number;
  readonly at: number;
}

/** The record of one subscriber, with its deliveries in the order of their arrival. */
export interface SubscriberEvidence {
  readonly name: string;
  readonly subscriptions: readonly Subscription[];
  readonly deliveries: readonly Delivery[];
  readonly gaps: readonly GapReport[];
}

export interface RequestRecord {
  readonly id: string;
  readonly started: number;
  readonly ended: number;
  /** `answered`, `wrong` (the reply to another request), `pending` (never settled), or the code of the error. */
  readonly outcome: string;
}

export interface Evidence {
  readonly publications: readonly Publication[];
  readonly subscribers: readonly SubscriberEvidence[];
  readonly requests: readonly RequestRecord[];
  /** How often a handler ran for each request it got, by the request's id. */
  readonly handled: ReadonlyMap<string, number>;
}

/** A fault of a process of the system under test: an unhandled rejection, or it did not end when closed. */
export interface Misconduct {
  readonly who: string;
  readonly what: string;
}
