// What the type checker promises about the other entries; tsc judges these files (npm run typecheck), Jest only runs them.
import { it } from '@jest/globals';
import type { HealthIndicatorResult } from '@nestjs/terminus';
import { expectTypeOf } from 'expect-type';
import type { ClusterPubSub, ClusterPubSubOptions } from '../../../src/index.js';
import type {
  ClusterPubSubHealthIndicator,
  ClusterPubSubHealthOptions,
} from '../../../src/terminus/index.js';
import type { LocalCluster, LocalNode, startLocalCluster } from '../../../src/testing/index.js';

it('the health indicator answers as those of Terminus do, under the key it is given', () => {
  const indicator = null as unknown as ClusterPubSubHealthIndicator;
  const check = (): void => {
    expectTypeOf(indicator.isHealthy('redis')).toExtend<Promise<HealthIndicatorResult<'redis'>>>();
    void indicator.isHealthy('redis', { channels: ['order.create'], timeout: 500 });
  };
  expectTypeOf(check).returns.toBeVoid();
  expectTypeOf<ClusterPubSub | ClusterPubSub<'buffer'>>().toExtend<ClusterPubSubHealthOptions['pubsub']>();
  expectTypeOf<{
    [K in keyof ClusterPubSubHealthOptions]-?: undefined;
  }>().toExtend<ClusterPubSubHealthOptions>();
});

it('a local cluster gives its nodes as the options take them, and handles to every fault', () => {
  expectTypeOf<typeof startLocalCluster>().toBeCallableWith({ masters: 3, replicas: 1 });
  expectTypeOf<typeof startLocalCluster>().returns.resolves.toEqualTypeOf<LocalCluster>();
  expectTypeOf<{ nodes: LocalCluster['nodes'] }>().toExtend<ClusterPubSubOptions>();
  type Fault = LocalCluster['kill' | 'pause' | 'resume' | 'restart'];
  expectTypeOf<Fault>().toBeCallableWith({ host: '127.0.0.1', port: 7000 } satisfies LocalNode);
  expectTypeOf<Fault>().returns.toEqualTypeOf<Promise<void>>();
  expectTypeOf<LocalCluster['moveSlot']>().parameter(0).toEqualTypeOf<number>();
  expectTypeOf<LocalCluster>().toExtend<AsyncDisposable>();
});
