/**
 * The counters of a `ClusterPubSub` since its creation; see `ClusterPubSub.metrics()`.
 *
 * @publicApi
 */
export interface PubSubMetrics {
  /** Messages passed to `publish` and `spublish`. */
  readonly published: number;
  /** Publishes that were rejected, for any reason. */
  readonly publishErrors: number;
  /** Messages sent again after their connection was lost or their slot had moved. */
  readonly retransmitted: number;
  /** Times that a channel was paused until its subscribers had followed a slot. */
  readonly migrationPauses: number;
  /** Messages delivered, counted once per subscription. */
  readonly received: number;
  /** Duplicates that were dropped. */
  readonly duplicates: number;
  /** Messages known to be missing by their sequence numbers. */
  readonly missed: number;
  /** `gap` events of all reasons. */
  readonly gaps: number;
  /** Messages not read from `listen()` or `getMessage()` in time. */
  readonly dropped: number;
  /** Messages dropped because they are not UTF-8; see `PubSubOptions.encodingErrors`. */
  readonly undecodable: number;
  /** Subscriber connections that were lost. */
  readonly connectionsLost: number;
  /** Times that all subscriptions were restored: `status` changed from `reconnecting` to `connected`. */
  readonly reconnects: number;
  /** Probes published to check a silent subscriber connection. */
  readonly probes: number;
  /** Probes that did not return in time. */
  readonly probesLost: number;
  /** Topology changes in which slots moved to another master. */
  readonly moves: number;
  /** The longest time that the handlers of one socket read blocked the event loop, in ms. */
  readonly maxDispatchTime: number;
  /** Messages that currently wait for a node, or for subscribers to follow a slot. */
  readonly waiting: number;
  /** Current subscriptions; one at all masters counts once per master. */
  readonly desired: number;
  /** Current subscriptions that Redis has confirmed. */
  readonly confirmed: number;
}

/** The counters behind {@link PubSubMetrics}: plain fields, because the hot path updates them. */
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
