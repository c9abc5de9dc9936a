import type { InjectionToken } from '@nestjs/common';

const DEFAULT_NAME = 'default';

/** The injection token of a cluster's engine; without a name, of the unnamed `forRoot`. */
export function getClusterPubSubToken(name: string = DEFAULT_NAME): InjectionToken {
  return `ClusterPubSub:${name}`;
}

/** The injection token of a cluster's client. */
export function getClusterPubSubClientToken(name: string = DEFAULT_NAME): InjectionToken {
  return `ClusterPubSubClient:${name}`;
}

/**
 * The injection token of a cluster's options, which lets `main.ts` reuse them:
 * `new ClusterPubSubServer(app.get(getClusterPubSubOptionsToken()))`.
 */
export function getClusterPubSubOptionsToken(name: string = DEFAULT_NAME): InjectionToken {
  return `ClusterPubSubOptions:${name}`;
}
