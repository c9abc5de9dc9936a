import { Counter, Gauge, Histogram, register as globalRegister, type Registry } from 'prom-client';
import { DURATION_BUCKETS, HANDLER_DURATION, METRICS, type MetricRow } from '../observe/metric-table.js';
import { type HandlerLabels, type MetricsSource, Sources } from '../observe/sources.js';
import { InvalidArgumentError } from '../pubsub/errors.js';

/** @publicApi */
export interface ClusterPubSubPrometheusOptions {
  /** Where the metrics are registered. Default: the global registry of `prom-client`. */
  register?: Registry | undefined;
  /** The buckets of the handler time, in seconds. Default: 0.1 ms to 10 s. */
  buckets?: readonly number[] | undefined;
}

/**
 * Gives Prometheus what servers, clients and engines count; docs/observability.md lists the metrics. Sources are read
 * when Prometheus scrapes; handlers alone cost something meanwhile, for each is timed while its server is watched.
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
  readonly #names: string[] = [];
  readonly #sources: Sources;

  /** @throws {InvalidArgumentError} when the register has these metrics already: one of this kind watches many sources. */
  constructor({
    register = globalRegister,
    buckets = DURATION_BUCKETS,
  }: ClusterPubSubPrometheusOptions = {}) {
    this.#register = register;
    const handlerDuration = new Histogram<keyof HandlerLabels>({
      name: this.#claim(prometheusName(HANDLER_DURATION)),
      help: HANDLER_DURATION.help,
      labelNames: ['source', 'pattern', 'type'],
      buckets: [...buckets],
      registers: [register],
    });
    this.#sources = new Sources((seconds, { source, pattern, type }) => {
      handlerDuration.observe({ source, pattern, type }, seconds);
    });
    METRICS.forEach((row) => this.#add(row));
  }

  /**
   * @param name what its metrics have as their label `source`
   * @throws {InvalidArgumentError} when another source has the name
   */
  watch(source: MetricsSource, name: string): this {
    this.#sources.add(source, name);
    return this;
  }

  unwatch(source: MetricsSource): this {
    this.#sources.delete(source);
    return this;
  }

  /** Takes the metrics out of the register, and no longer has handlers timed. */
  close(): void {
    this.#sources.close();
    this.#names.splice(0).forEach((name) => this.#register.removeSingleMetric(name));
  }

  #add(row: MetricRow): void {
    const sources = this.#sources;
    const config = {
      name: this.#claim(prometheusName(row)),
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

  #claim(name: string): string {
    if (this.#register.getSingleMetric(name) !== undefined) {
      throw new InvalidArgumentError(
        `The register has a metric ${name} already. Make one ClusterPubSubPrometheus a register, and have it watch ` +
          `all sources.`,
      );
    }
    this.#names.push(name);
    return name;
  }
}

/** With base units and `_total`, as Prometheus wants them. */
function prometheusName({ name, unit, type }: Pick<MetricRow, 'name' | 'unit'> & Partial<MetricRow>): string {
  const seconds = unit === 's' ? '_seconds' : '';
  const total = type === 'counter' ? '_total' : '';
  return `cluster_pubsub_${name.replaceAll('.', '_')}${seconds}${total}`;
}
