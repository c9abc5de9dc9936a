/**
 * What a `ClusterPubSub` has counted since it was made; see `ClusterPubSub.metrics()`.
 *
 * @publicApi
 */
export interface PubSubMetrics {
  /** Messages handed to `publish` and `spublish`. */
  readonly published: number;
  /** Publishes that were rejected, for whatever reason. */
  readonly publishErrors: number;
  /** Messages that were sent again, after their connection was lost or because their slot had moved. */
  readonly retransmitted: number;
  /** How often the messages of a channel had to wait for its subscribers to follow a slot. */
  readonly migrationPauses: number;
  /** Messages that arrived, each once for each subscription. */
  readonly received: number;
  /** Second copies that were dropped. */
  readonly duplicates: number;
  /** Messages known to be missing, by their sequence. */
  readonly missed: number;
  /** `gap` events, of every reason. */
  readonly gaps: number;
  /** Messages that nobody read from `listen()` or `getMessage()` in time. */
  readonly dropped: number;
  /** Messages that were dropped because they are not UTF-8: see `PubSubOptions.encodingErrors`. */
  readonly undecodable: number;
  /** Subscriber connections that were lost. */
  readonly connectionsLost: number;
  /** How often all subscriptions stood again after some had not: `status` was `reconnecting`, and is `connected`. */
  readonly reconnects: number;
  /** Probes published to prove a silent subscriber connection. */
  readonly probes: number;
  /** Probes that did not come back in time. */
  readonly probesLost: number;
  /** Changes of the topology in which slots changed their master. */
  readonly moves: number;
  /** The longest time, in ms, that the handlers of what came in one read kept the event loop. */
  readonly maxDispatchTime: number;
  /** Messages that wait now, for a node or for subscribers to follow a slot. */
  readonly waiting: number;
  /** Subscriptions that are wanted now; one at all masters counts once for each. */
  readonly desired: number;
  /** Of these, those that Redis has confirmed. */
  readonly confirmed: number;
}

/** The counters behind {@link PubSubMetrics}: plain fields, for they are counted on the hot path. */
export type Metrics = {
  -readonly [K in Exclude<keyof PubSubMetrics, 'dropped' | 'waiting' | 'desired' | 'confirmed'>]: number;
};

export function newMetrics(): Metrics {
  return {
    published: 0,
    publishErrors: 0,
    retransmitted: 0,
    migrationPauses: 0,
    received: 0,
    duplicates: 0,
    missed: 0,
    gaps: 0,
    undecodable: 0,
    connectionsLost: 0,
    reconnects: 0,
    probes: 0,
    probesLost: 0,
    moves: 0,
    maxDispatchTime: 0,
  };
}
