import type { PubSubMetrics } from '../../pubsub/common/metrics.js';
import type { Durations } from './duration-histogram.js';

/**
 * What a `ClusterPubSubServer` has counted since it was made; see `ClusterPubSubServer.metrics()`.
 *
 * @publicApi
 */
export interface ClusterPubSubServerMetrics {
  readonly kind: 'server';
  /** Requests that were handed to a handler. */
  readonly requests: number;
  /** Events that were handed to the handlers of their pattern: once for each chain of them. */
  readonly events: number;
  /** Requests that came although there is no handler for them here. */
  readonly noHandler: number;
  /** Handlers that threw, or whose promise or Observable failed. */
  readonly failed: number;
  /** Messages that could not be read, and were dropped. */
  readonly malformed: number;
  /** Handlers that run now, or whose answer is on its way; those that `close()` waits for among them. */
  readonly running: number;
  /**
   * How long handlers took. Undefined until somebody has subscribed to the diagnostics channel
   * `nestjs-cluster-pubsub:handled`, as the Prometheus and OpenTelemetry adapters do; filled while somebody does.
   */
  readonly handlerTime: Durations | undefined;
  /** Of the engine underneath, since `listen()`; undefined while there is none, and once `close()` has resolved. */
  readonly pubsub: PubSubMetrics | undefined;
}

/**
 * What a `ClusterPubSubClient` has counted since it was made; see `ClusterPubSubClient.metrics()`.
 *
 * @publicApi
 */
export interface ClusterPubSubClientMetrics extends RequestCounts {
  readonly kind: 'client';
  /** Events that `emit` was asked to publish. */
  readonly events: number;
  /** Replies that could not be read, and were dropped. */
  readonly malformed: number;
  /** Requests that wait for an answer now. */
  readonly inFlight: number;
  /** Of the engine underneath, since it connected last; undefined before. */
  readonly pubsub: PubSubMetrics | undefined;
}

/** How the requests of a client went. */
export interface RequestCounts {
  /** Requests that were begun. Those that neither stand below nor are in flight got their answer. */
  readonly requests: number;
  /** Requests that got no answer in time: `RequestTimeoutError`. */
  readonly timeouts: number;
  /** Requests that nobody serves: `NoSubscribersError`. */
  readonly noSubscribers: number;
  /** Requests whose inbox was interrupted: `GapError`. */
  readonly gaps: number;
  /** Requests that were answered with an error. */
  readonly errors: number;
  /** Requests that failed otherwise: no cluster, not published, or `close()` was called. */
  readonly failed: number;
  /** Requests whose asker unsubscribed before the end. */
  readonly cancelled: number;
}

/** @internal */
export type RequestTally = { -readonly [K in keyof RequestCounts]: number };

/** @internal */
export function newRequestTally(): RequestTally {
  return { requests: 0, timeouts: 0, noSubscribers: 0, gaps: 0, errors: 0, failed: 0, cancelled: 0 };
}
