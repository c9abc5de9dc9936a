import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { ClosedError, InvalidArgumentError } from '../pubsub/common/errors.js';
import type { PubSubMetrics } from '../pubsub/common/metrics.js';
import type { ClusterPubSubDiagnostics } from '../transport/diagnostics.js';
import type {
  ClusterPubSubClientMetrics,
  ClusterPubSubServerMetrics,
} from '../transport/telemetry/metrics.js';
import type { MetricDefinition, Reading } from './metric-definitions.js';

/**
 * A source of metrics: a `ClusterPubSubServer`, a `ClusterPubSubClient` or a `ClusterPubSub`.
 *
 * @publicApi
 */
export interface MetricsSource {
  metrics(): ClusterPubSubServerMetrics | ClusterPubSubClientMetrics | PubSubMetrics;
}

/** The labels of a handler's duration. */
export interface HandlerLabels {
  readonly source: string;
  readonly pattern: string;
  readonly type: Handled['type'];
}

type Handled = ClusterPubSubDiagnostics['nestjs-cluster-pubsub:handled'];

const HANDLED: keyof ClusterPubSubDiagnostics = 'nestjs-cluster-pubsub:handled';

/** The sources that one adapter watches, by name. Handlers are timed while one of them is a server. */
export class MetricSources {
  readonly #names = new Map<MetricsSource, string>();
  #readings: readonly (readonly [name: string, reading: Reading])[] | undefined;
  #state: 'idle' | 'timing' | 'closed' = 'idle';

  constructor(
    /** The name of the adapter, for errors. */
    private readonly owner: string,
    private readonly record: (seconds: number, labels: HandlerLabels) => void,
  ) {}

  /**
   * @throws {InvalidArgumentError} when another source has the name
   * @throws {ClosedError} after {@link close}
   */
  add(source: MetricsSource, name: string): void {
    if (this.#state === 'closed') {
      throw new ClosedError(this.owner);
    }
    for (const [other, taken] of this.#names) {
      if (taken === name && other !== source) {
        throw new InvalidArgumentError(
          `Another source is already watched as "${name}". Give each source its own name.`,
        );
      }
    }
    this.#names.set(source, name);
    if (this.#state === 'idle' && isServer(source)) {
      this.#state = 'timing';
      subscribe(HANDLED, this.#handled);
    }
  }

  /** @returns the name of the source, if it was watched */
  delete(source: MetricsSource): string | undefined {
    const name = this.#names.get(source);
    this.#names.delete(source);
    if (this.#state === 'timing' && ![...this.#names.keys()].some(isServer)) {
      this.#state = 'idle';
      unsubscribe(HANDLED, this.#handled);
    }
    return name;
  }

  close(): void {
    this.#state = 'closed';
    unsubscribe(HANDLED, this.#handled);
    this.#names.clear();
  }

  /** Cached for one tick, in which a scrape reads all metrics. */
  #read(): readonly (readonly [name: string, reading: Reading])[] {
    if (this.#readings === undefined) {
      this.#readings = [...this.#names].map(([source, name]) => [name, readingOf(source)]);
      queueMicrotask(() => (this.#readings = undefined));
    }
    return this.#readings;
  }

  /** Calls `take` with the current value of each source that has the metric. */
  forEachValue({ read }: MetricDefinition, take: (source: string, value: number) => void): void {
    for (const [source, reading] of this.#read()) {
      const value = read(reading);
      if (value !== undefined) {
        take(source, value);
      }
    }
  }

  readonly #handled = (message: unknown): void => {
    const { server, pattern, type, duration } = message as Handled;
    const source = this.#names.get(server);
    if (source !== undefined) {
      this.record(duration / 1_000, { source, pattern, type });
    }
  };
}

function isServer(source: MetricsSource): boolean {
  return readingOf(source).server !== undefined;
}

function readingOf(source: MetricsSource): Reading {
  const metrics = source.metrics();
  if (!('kind' in metrics)) {
    return { pubsub: metrics, client: undefined, server: undefined };
  }
  return metrics.kind === 'server'
    ? { pubsub: metrics.pubsub, client: undefined, server: metrics }
    : { pubsub: metrics.pubsub, client: metrics, server: undefined };
}
