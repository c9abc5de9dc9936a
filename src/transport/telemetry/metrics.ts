import type { PubSubMetrics } from '../../pubsub/common/metrics.js';
import type { Durations } from './duration-histogram.js';

/**
 * The counters of a `ClusterPubSubServer` since it was created; see `ClusterPubSubServer.metrics()`.
 *
 * @publicApi
 */
export interface ClusterPubSubServerMetrics {
  readonly kind: 'server';
  /** Requests passed to a handler. */
  readonly requests: number;
  /** Events passed to the handlers of their pattern: one for each chain of handlers. */
  readonly events: number;
  /** Requests received without a handler for them. */
  readonly noHandler: number;
  /** Handlers that threw, or whose promise or Observable failed. */
  readonly failed: number;
  /** Messages dropped because they could not be decoded. */
  readonly malformed: number;
  /** Handlers that are running, or whose response is being sent, including those that `close()` waits for. */
  readonly running: number;
  /**
   * Durations of handlers, recorded while the diagnostics channel `nestjs-cluster-pubsub:handled` has a subscriber, such as
   * the Prometheus and OpenTelemetry adapters. Undefined until then.
   */
  readonly handlerTime: Durations | undefined;
  /** Of the underlying engine, since `listen()`; undefined before, and once `close()` has resolved. */
  readonly pubsub: PubSubMetrics | undefined;
}

/**
 * The counters of a `ClusterPubSubClient` since it was created; see `ClusterPubSubClient.metrics()`.
 *
 * @publicApi
 */
export interface ClusterPubSubClientMetrics extends RequestCounts {
  readonly kind: 'client';
  /** Events passed to `emit`. */
  readonly events: number;
  /** Replies dropped because they could not be decoded. */
  readonly malformed: number;
  /** Requests waiting for a response. */
  readonly inFlight: number;
  /** Of the underlying engine, since it connected last; undefined before. */
  readonly pubsub: PubSubMetrics | undefined;
}

/** The requests of a client by outcome. */
export interface RequestCounts {
  /** Requests started. Those neither in flight nor counted below were answered. */
  readonly requests: number;
  /** Requests without a response in time: `RequestTimeoutError`. */
  readonly timeouts: number;
  /** Requests that no server handles: `NoSubscribersError`. */
  readonly noSubscribers: number;
  /** Requests whose reply inbox was interrupted: `GapError`. */
  readonly gaps: number;
  /** Requests answered with an error. */
  readonly errors: number;
  /** Requests that failed otherwise: not connected, not published, or `close()` was called. */
  readonly failed: number;
  /** Requests cancelled by unsubscribing. */
  readonly cancelled: number;
}

/** @internal */
export type RequestCounters = { -readonly [K in keyof RequestCounts]: number };

/** @internal */
export function newRequestCounters(): RequestCounters {
  return { requests: 0, timeouts: 0, noSubscribers: 0, gaps: 0, errors: 0, failed: 0, cancelled: 0 };
}
