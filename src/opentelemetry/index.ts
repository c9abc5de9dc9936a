export { ClusterPubSubMeter, type ClusterPubSubMeterOptions } from './cluster-pubsub.meter.js';
export { instrumentClient, instrumentServer, type TracingOptions } from './tracing.js';
export type { MetricsSource } from '../metrics/metric-sources.js';
