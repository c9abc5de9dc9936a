import { Inject } from '@nestjs/common';
import { getClusterPubSubClientToken, getClusterPubSubToken } from './cluster-pubsub.tokens.js';

/**
 * Injects the `ClusterPubSub` engine that `ClusterPubSubModule.forRoot` provides, of the cluster with that name.
 *
 * @publicApi
 */
export function InjectClusterPubSub(name?: string): PropertyDecorator & ParameterDecorator {
  return Inject(getClusterPubSubToken(name));
}

/**
 * Injects the `ClusterPubSubClient` that `ClusterPubSubModule.forRoot` provides, of the cluster with that name.
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
