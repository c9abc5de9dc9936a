import { Inject } from '@nestjs/common';
import { getClusterPubSubClientToken, getClusterPubSubToken } from './cluster-pubsub.tokens.js';

/**
 * Injects the `ClusterPubSub` engine provided by `ClusterPubSubModule.forRoot` for the cluster with this name.
 *
 * @publicApi
 */
export function InjectClusterPubSub(name?: string): PropertyDecorator & ParameterDecorator {
  return Inject(getClusterPubSubToken(name));
}

/**
 * Injects the `ClusterPubSubClient` provided by `ClusterPubSubModule.forRoot` for the cluster with this name.
 *
 * @example
 * ```ts
 * constructor(@InjectClusterPubSubClient() private readonly client: ClusterPubSubClient) {}
 * ```
 *
 * @publicApi
 */
export function InjectClusterPubSubClient(name?: string): PropertyDecorator & ParameterDecorator {
  return Inject(getClusterPubSubClientToken(name));
}
