export {
  ClusterPubSubHealthIndicator,
  type ClusterPubSubHealth,
  type ClusterPubSubHealthOptions,
  type ClusterPubSubHealthResult,
} from './cluster-pubsub.health.js';
