export { ClusterPubSubClient } from './client/client.js';
export { CLUSTER_PUBSUB_TRANSPORT } from './common/constants.js';
export { ClusterPubSubContext, type HandledType } from './common/cluster-pubsub.context.js';
export type { ClusterPubSubDiagnostics } from './diagnostics.js';
export type { Durations } from './telemetry/duration-histogram.js';
export type { ClusterPubSubStatus, ClusterPubSubTransportEvents } from './connection/engine-events.js';
export {
  NoSubscribersError,
  NotConnectedError,
  PayloadTooLargeError,
  RequestTimeoutError,
} from './common/errors.js';
export type {
  ClusterPubSubClientMetrics,
  ClusterPubSubServerMetrics,
  RequestCounts,
} from './telemetry/metrics.js';
export type { ClusterPubSubOptions, PubSubMode } from './common/options.js';
export { ClusterPubSubRecord, ClusterPubSubRecordBuilder } from './common/cluster-pubsub.record-builder.js';
export { ClusterPubSubServer } from './server/server.js';
