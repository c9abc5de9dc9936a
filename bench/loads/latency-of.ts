import type { RecordableHistogram } from 'node:perf_hooks';
import type { Latency } from '../members/protocol.js';

/** Percentiles in ms of what was recorded in ns, which is forgotten then; undefined if that is nothing. */
export function latencyOf(histogram: RecordableHistogram): Latency | undefined {
  if (histogram.count === 0) return undefined;
  const at = (percentile: number): number => histogram.percentile(percentile) / 1e6;
  const latency = { p50: at(50), p99: at(99), p999: at(99.9) };
  histogram.reset();
  return latency;
}
