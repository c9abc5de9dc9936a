export { ClusterPubSubPrometheus, type ClusterPubSubPrometheusOptions } from './cluster-pubsub.prometheus.js';
export type { MetricsSource } from '../metrics/metric-sources.js';
