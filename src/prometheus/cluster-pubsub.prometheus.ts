import { Counter, Gauge, Histogram, register as globalRegister, type Registry } from 'prom-client';
import {
  DURATION_BUCKETS,
  HANDLER_DURATION,
  METRICS,
  type MetricDefinition,
} from '../metrics/metric-definitions.js';
import { type HandlerLabels, type MetricsSource, MetricSources } from '../metrics/metric-sources.js';
import { InvalidArgumentError } from '../pubsub/common/errors.js';

/** @publicApi */
export interface ClusterPubSubPrometheusOptions {
  /** The registry of the metrics. Default: the global registry of `prom-client`. */
  register?: Registry | undefined;
  /** The buckets of the handler duration, in seconds. Default: 0.1 ms to 10 s. */
  buckets?: readonly number[] | undefined;
}

/**
 * Exports the metrics of servers, clients and engines to Prometheus; docs/observability.md lists them. Sources are read on
 * each scrape. Between scrapes the only cost is the timing of handlers, while their server is watched.
 *
 * @example
 * ```ts
 * const metrics = new ClusterPubSubPrometheus();
 * metrics.watch(server, 'orders').watch(client, 'shop');
 * // GET /metrics: await register.metrics()
 * ```
 *
 * @publicApi
 */
export class ClusterPubSubPrometheus {
  readonly #register: Registry;
  readonly #names = [HANDLER_DURATION, ...METRICS].map(prometheusName);
  readonly #sources: MetricSources;
  readonly #handlerDuration: Histogram<keyof HandlerLabels>;
  /** The labels of the timed handlers, by source and then by type and pattern: {@link unwatch} removes them. */
  readonly #timed = new Map<string, Map<string, HandlerLabels>>();

  /** @throws {InvalidArgumentError} when the registry already has these metrics: one adapter watches many sources */
  constructor({
    register = globalRegister,
    buckets = DURATION_BUCKETS,
  }: ClusterPubSubPrometheusOptions = {}) {
    this.#register = register;
    this.#names.forEach((name) => this.#assertFree(name));
    this.#handlerDuration = new Histogram<keyof HandlerLabels>({
      name: prometheusName(HANDLER_DURATION),
      help: HANDLER_DURATION.help,
      labelNames: ['source', 'pattern', 'type'],
      buckets: [...buckets],
      registers: [register],
    });
    this.#sources = new MetricSources(ClusterPubSubPrometheus.name, (seconds, labels) => {
      this.#handlerDuration.observe({ ...labels }, seconds);
      this.#noteTimed(labels);
    });
    METRICS.forEach((row) => this.#add(row));
  }

  /**
   * @param name the label `source` of its metrics
   * @throws {InvalidArgumentError} when another source has the name
   * @throws {ClosedError} after {@link close}
   */
  watch(source: MetricsSource, name: string): this {
    this.#sources.add(source, name);
    return this;
  }

  /** Removes the metrics of the source from the page. */
  unwatch(source: MetricsSource): this {
    const name = this.#sources.delete(source);
    if (name !== undefined) {
      this.#timed.get(name)?.forEach((labels) => this.#handlerDuration.remove({ ...labels }));
      this.#timed.delete(name);
    }
    return this;
  }

  /** Removes the metrics from the registry and stops timing handlers. */
  close(): void {
    this.#sources.close();
    this.#names.splice(0).forEach((name) => this.#register.removeSingleMetric(name));
  }

  #add(row: MetricDefinition): void {
    const sources = this.#sources;
    const config = {
      name: prometheusName(row),
      help: row.help,
      labelNames: ['source'] as const,
      registers: [this.#register],
    };
    if (row.type === 'gauge') {
      new Gauge({
        ...config,
        collect() {
          this.reset();
          sources.forEachValue(row, (source, value) => this.set({ source }, value));
        },
      });
    } else {
      new Counter({
        ...config,
        collect() {
          this.reset();
          sources.forEachValue(row, (source, value) => this.inc({ source }, value));
        },
      });
    }
  }

  #noteTimed(labels: HandlerLabels): void {
    const { source, pattern, type } = labels;
    const handlers = this.#timed.get(source);
    const handler = `${type} ${pattern}`;
    if (handlers === undefined) {
      this.#timed.set(source, new Map([[handler, labels]]));
    } else if (!handlers.has(handler)) {
      handlers.set(handler, labels);
    }
  }

  #assertFree(name: string): void {
    if (this.#register.getSingleMetric(name) !== undefined) {
      throw new InvalidArgumentError(
        `The registry already has a metric ${name}. Create one ClusterPubSubPrometheus per registry and let it watch ` +
          `all sources; rename a metric of your own.`,
      );
    }
  }
}

/** With the suffixes that Prometheus prescribes for units and counters. */
function prometheusName({
  name,
  unit,
  type,
}: Pick<MetricDefinition, 'name' | 'unit'> & Partial<MetricDefinition>): string {
  const seconds = unit === 's' ? '_seconds' : '';
  const total = type === 'counter' ? '_total' : '';
  return `cluster_pubsub_${name.replaceAll('.', '_')}${seconds}${total}`;
}
