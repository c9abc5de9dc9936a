import { type BatchObservableCallback, type Meter, metrics, type Observable } from '@opentelemetry/api';
import {
  DURATION_BUCKETS,
  HANDLER_DURATION,
  METRICS,
  type MetricDefinition,
} from '../metrics/metric-definitions.js';
import { type HandlerLabels, type MetricsSource, MetricSources } from '../metrics/metric-sources.js';
import { INSTRUMENTATION } from './instrumentation-name.js';

/** @publicApi */
export interface ClusterPubSubMeterOptions {
  /** Default: the meter `nestjs-cluster-pubsub` of the global meter provider, which must be registered first. */
  meter?: Meter | undefined;
}

/**
 * Exports the metrics of servers, clients and engines to OpenTelemetry; docs/observability.md lists the instruments.
 * Sources are read when metrics are collected. In between the only cost is the timing of handlers, while their server is
 * watched.
 *
 * @example
 * ```ts
 * const meter = new ClusterPubSubMeter();
 * meter.watch(server, 'orders').watch(client, 'shop');
 * ```
 *
 * @publicApi
 */
export class ClusterPubSubMeter {
  readonly #meter: Meter;
  readonly #sources: MetricSources;
  readonly #instruments: ReadonlyMap<Observable, MetricDefinition>;

  constructor({ meter = metrics.getMeter(INSTRUMENTATION) }: ClusterPubSubMeterOptions = {}) {
    this.#meter = meter;
    const handlerDuration = meter.createHistogram<Record<keyof HandlerLabels, string>>(
      nameOf(HANDLER_DURATION),
      {
        description: HANDLER_DURATION.help,
        unit: HANDLER_DURATION.unit,
        advice: { explicitBucketBoundaries: [...DURATION_BUCKETS] },
      },
    );
    this.#sources = new MetricSources(ClusterPubSubMeter.name, (seconds, labels) =>
      handlerDuration.record(seconds, { ...labels }),
    );
    this.#instruments = new Map(METRICS.map((row) => [newInstrument(meter, row), row]));
    meter.addBatchObservableCallback(this.#observe, [...this.#instruments.keys()]);
  }

  /**
   * @param name the attribute `source` of its metrics
   * @throws {InvalidArgumentError} when another source has the name
   * @throws {ClosedError} after {@link close}
   */
  watch(source: MetricsSource, name: string): this {
    this.#sources.add(source, name);
    return this;
  }

  unwatch(source: MetricsSource): this {
    this.#sources.delete(source);
    return this;
  }

  /** Stops the export and the timing of handlers. */
  close(): void {
    this.#sources.close();
    this.#meter.removeBatchObservableCallback(this.#observe, [...this.#instruments.keys()]);
  }

  readonly #observe: BatchObservableCallback = (result) => {
    for (const [instrument, row] of this.#instruments) {
      this.#sources.forEachValue(row, (source, value) => result.observe(instrument, value, { source }));
    }
  };
}

function newInstrument(meter: Meter, row: MetricDefinition): Observable {
  const options = { description: row.help, unit: row.unit };
  return row.type === 'counter'
    ? meter.createObservableCounter(nameOf(row), options)
    : meter.createObservableGauge(nameOf(row), options);
}

function nameOf({ name }: Pick<MetricDefinition, 'name'>): string {
  return `cluster_pubsub.${name}`;
}
