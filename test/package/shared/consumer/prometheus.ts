// What users write against the Prometheus entry.
import type { ClusterPubSub, ClusterPubSubClient, ClusterPubSubServer } from 'nestjs-cluster-pubsub';
import {
  ClusterPubSubPrometheus,
  type ClusterPubSubPrometheusOptions,
} from 'nestjs-cluster-pubsub/prometheus';
import { register, Registry } from 'prom-client';

declare const server: ClusterPubSubServer;
declare const client: ClusterPubSubClient;
declare const engine: ClusterPubSub | ClusterPubSub<'buffer'>;

export const prometheus = new ClusterPubSubPrometheus({ register: new Registry(), buckets: [0.01, 0.1, 1] })
  .watch(server, 'orders')
  .watch(client, 'gateway')
  .watch(engine, 'audit');

export const ofAll = new ClusterPubSubPrometheus({ register });

/** Every option may be undefined. */
export const undefinedOptions: {
  [K in keyof ClusterPubSubPrometheusOptions]-?: undefined;
} extends ClusterPubSubPrometheusOptions
  ? true
  : never = true;
