// What the type checker promises about the adapters; tsc judges these files (npm run typecheck), Jest only runs them.
import { describe, it } from '@jest/globals';
import type { Meter, Tracer } from '@opentelemetry/api';
import { expectTypeOf } from 'expect-type';
import type { Registry } from 'prom-client';
import type { ClusterPubSub, ClusterPubSubClient, ClusterPubSubServer } from '../../../src/index.js';
import type {
  ClusterPubSubMeter,
  ClusterPubSubMeterOptions,
  instrumentClient,
  instrumentServer,
  TracingOptions,
} from '../../../src/opentelemetry/index.js';
import type {
  ClusterPubSubPrometheus,
  ClusterPubSubPrometheusOptions,
  MetricsSource,
} from '../../../src/prometheus/index.js';

type Watched = ClusterPubSubServer | ClusterPubSubClient | ClusterPubSub | ClusterPubSub<'buffer'>;

describe('the adapters, by type', () => {
  it('watch servers, clients and engines of either encoding, under a name, one call after another', () => {
    expectTypeOf<Watched>().toExtend<MetricsSource>();
    expectTypeOf<ClusterPubSubPrometheus['watch']>().parameters.toEqualTypeOf<
      [source: MetricsSource, name: string]
    >();
    expectTypeOf<ClusterPubSubMeter['watch']>().parameters.toEqualTypeOf<
      [source: MetricsSource, name: string]
    >();
    const chain = (prometheus: ClusterPubSubPrometheus, meter: ClusterPubSubMeter, one: Watched): void => {
      expectTypeOf(prometheus.watch(one, 'orders').unwatch(one)).toEqualTypeOf<ClusterPubSubPrometheus>();
      expectTypeOf(meter.watch(one, 'orders').unwatch(one)).toEqualTypeOf<ClusterPubSubMeter>();
    };
    expectTypeOf(chain).returns.toBeVoid();
  });

  it('take the register, the meter and the tracer of the libraries they serve', () => {
    expectTypeOf<ClusterPubSubPrometheusOptions['register']>().toEqualTypeOf<Registry | undefined>();
    expectTypeOf<ClusterPubSubMeterOptions['meter']>().toEqualTypeOf<Meter | undefined>();
    expectTypeOf<TracingOptions['tracer']>().toEqualTypeOf<Tracer | undefined>();
  });

  it('instrument a client or a server, and give back what undoes it', () => {
    expectTypeOf<typeof instrumentClient>().parameter(0).toEqualTypeOf<ClusterPubSubClient>();
    expectTypeOf<typeof instrumentServer>().parameter(0).toEqualTypeOf<ClusterPubSubServer>();
    expectTypeOf<typeof instrumentClient>().returns.toEqualTypeOf<() => void>();
    expectTypeOf<typeof instrumentServer>().returns.toEqualTypeOf<() => void>();
    // @ts-expect-error a server is no client
    expectTypeOf<typeof instrumentClient>().toBeCallableWith(null as unknown as ClusterPubSubServer);
  });
});
