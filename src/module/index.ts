export { InjectClusterPubSub, InjectClusterPubSubClient } from './cluster-pubsub.decorators.js';
export { ClusterPubSubModule } from './cluster-pubsub.module.js';
export type {
  ClusterPubSubModuleExtras,
  ClusterPubSubOptionsFactory,
} from './cluster-pubsub.module-definition.js';
export {
  getClusterPubSubClientToken,
  getClusterPubSubOptionsToken,
  getClusterPubSubToken,
} from './cluster-pubsub.tokens.js';
