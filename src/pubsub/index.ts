export * from './cluster-pubsub.js';
export type { EngineDiagnostics } from './diagnostics.js';
export * from './common/errors.js';
export type {
  ClusterPubSubEvents,
  Gap,
  GapReason,
  Interruption,
  Moved,
  PubSubStatus,
  SlotsMoved,
} from './common/events.js';
export type {
  ActiveChannels,
  LastGap,
  MasterHealth,
  PubSubHealth,
  PubSubHealthOptions,
  PubSubHealthProfile,
  PubSubHealthStatus,
  UnconfirmedSubscription,
} from './health/health-types.js';
export type { Answer, IntrospectionOptions } from './introspection/introspection.js';
export type { GetMessageOptions, GetShardedMessageOptions } from './delivery/message-dispatcher.js';
export type * from './common/messages.js';
export type {
  BufferPolicy,
  ClusterConnectionOptions,
  EncodingErrors,
  OverflowPolicy,
  PubSubOptions,
} from './common/options.js';
export type { ChannelName } from './common/channel-name.js';
export type { PubSubMetrics } from './common/metrics.js';
export type { NodeAddress, NodeReference } from './common/node-address.js';
export type { NodeSelection } from './introspection/cluster-query.js';
export type { PublishOptions } from './common/publish-options.js';
export type {
  HandlerMap,
  NamesArgument,
  SubscribeArgument,
  SubscribeArguments,
  SubscribeOptions,
} from './subscription/subscribe-arguments.js';
