// What users write against the OpenTelemetry entry.
import { metrics, trace } from '@opentelemetry/api';
import type { ClusterPubSub, ClusterPubSubClient, ClusterPubSubServer } from 'nestjs-cluster-pubsub';
import {
  ClusterPubSubMeter,
  type ClusterPubSubMeterOptions,
  instrumentClient,
  instrumentServer,
  type TracingOptions,
} from 'nestjs-cluster-pubsub/opentelemetry';

declare const server: ClusterPubSubServer;
declare const client: ClusterPubSubClient;
declare const engine: ClusterPubSub | ClusterPubSub<'buffer'>;

export const meter = new ClusterPubSubMeter({ meter: metrics.getMeter('shop') })
  .watch(server, 'orders')
  .watch(client, 'gateway')
  .watch(engine, 'audit');

export const undo: readonly (() => void)[] = [
  instrumentServer(server),
  instrumentClient(client, { tracer: trace.getTracer('shop') }),
];

/** Every option may be undefined. */
export const undefinedOptions: {
  [K in keyof (ClusterPubSubMeterOptions & TracingOptions)]-?: undefined;
} extends ClusterPubSubMeterOptions & TracingOptions
  ? true
  : never = true;
