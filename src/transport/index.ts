export { ClusterPubSubClient } from './client.js';
export { CLUSTER_PUBSUB_TRANSPORT } from './constants.js';
export { ClusterPubSubContext } from './context.js';
export type { ClusterPubSubDiagnostics, HandledType } from './diagnostics.js';
export type { Durations } from './duration-histogram.js';
export type { ClusterPubSubStatus, ClusterPubSubTransportEvents } from './engine-events.js';
export {
  NoSubscribersError,
  NotConnectedError,
  PayloadTooLargeError,
  RequestTimeoutError,
} from './errors.js';
export type { ClusterPubSubClientMetrics, ClusterPubSubServerMetrics, RequestCounts } from './metrics.js';
export type { ClusterPubSubOptions, PubSubMode } from './options.js';
export { ClusterPubSubRecord, ClusterPubSubRecordBuilder } from './record.js';
export { ClusterPubSubServer } from './server.js';
