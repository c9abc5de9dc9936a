export { ClusterPubSubPrometheus, type ClusterPubSubPrometheusOptions } from './cluster-pubsub.prometheus.js';
export type { MetricsSource } from '../observe/sources.js';
