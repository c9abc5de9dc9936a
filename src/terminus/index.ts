export { ClusterPubSubHealthIndicator, type ClusterPubSubHealthOptions } from './cluster-pubsub.health.js';
