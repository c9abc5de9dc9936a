import type { HealthCheckService } from '@nestjs/terminus';
import type { ClusterPubSub } from 'nestjs-cluster-pubsub';
import {
  ClusterPubSubHealthIndicator,
  type ClusterPubSubHealthOptions,
} from 'nestjs-cluster-pubsub/terminus';

declare const timeout: number | undefined;

export function check(
  health: HealthCheckService,
  indicator: ClusterPubSubHealthIndicator,
  pubsub: ClusterPubSub,
) {
  const options: ClusterPubSubHealthOptions = { channels: ['order.create'], timeout, pubsub };
  return health.check([() => indicator.isHealthy('redis', options), () => indicator.isHealthy('default')]);
}

/** Every option may be undefined. */
export const undefinedOptions: {
  [K in keyof ClusterPubSubHealthOptions]-?: undefined;
} extends ClusterPubSubHealthOptions
  ? true
  : never = true;
