import type { InjectionToken } from '@nestjs/common';

const DEFAULT_NAME = 'default';

/** Under which token the engine of a cluster is provided; without a name, that of the unnamed `forRoot`. */
export function getClusterPubSubToken(name: string = DEFAULT_NAME): InjectionToken {
  return `ClusterPubSub:${name}`;
}

/** Under which token the client of a cluster is provided. */
export function getClusterPubSubClientToken(name: string = DEFAULT_NAME): InjectionToken {
  return `ClusterPubSubClient:${name}`;
}

/**
 * Under which token the options of a cluster are provided, so that `main.ts` need not say them again:
 * `new ClusterPubSubServer(app.get(getClusterPubSubOptionsToken()))`.
 */
export function getClusterPubSubOptionsToken(name: string = DEFAULT_NAME): InjectionToken {
  return `ClusterPubSubOptions:${name}`;
}
