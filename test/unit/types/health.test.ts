// What the type checker promises about health; tsc judges these files (npm run typecheck), Jest only runs them.
import { describe, it } from '@jest/globals';
import type { HealthIndicatorResult } from '@nestjs/terminus';
import { expectTypeOf } from 'expect-type';
import type { ClusterPubSub, PubSubHealth, PubSubHealthOptions, PubSubStatus } from '../../../src/index.js';
import type { ClusterPubSubHealth, ClusterPubSubHealthIndicator } from '../../../src/terminus/index.js';

describe('health, by type', () => {
  it('is asked of the engine, with options', () => {
    expectTypeOf<ClusterPubSub['health']>().parameters.toEqualTypeOf<[options?: PubSubHealthOptions]>();
    expectTypeOf<ClusterPubSub['health']>().returns.resolves.toEqualTypeOf<PubSubHealth>();
    expectTypeOf<{ channels: string[]; timeout: number; probe: boolean }>().toExtend<PubSubHealthOptions>();
  });

  it('is up, degraded or down, for reasons', () => {
    expectTypeOf<PubSubHealth['status']>().toEqualTypeOf<'up' | 'degraded' | 'down'>();
    expectTypeOf<PubSubHealth['reasons']>().toEqualTypeOf<readonly string[]>();
    expectTypeOf<PubSubHealth['engine']>().toEqualTypeOf<PubSubStatus>();
  });

  it('counts the subscribers of each watched channel, and reports every master', () => {
    expectTypeOf<PubSubHealth['numsub' | 'shardNumsub']>().toEqualTypeOf<Readonly<Record<string, number>>>();
    expectTypeOf<PubSubHealth['patterns']>().toEqualTypeOf<number>();
    expectTypeOf<PubSubHealth['activeChannels' | 'shardChannels']>().toExtend<{
      readonly count: number;
      readonly names: readonly string[];
    }>();
    expectTypeOf<PubSubHealth['masters']>().toExtend<{
      readonly known: number;
      readonly subscribed: number;
      readonly reachable: number;
    }>();
    type Master = PubSubHealth['masters']['nodes'][number];
    expectTypeOf<Master['node']>().toEqualTypeOf<string>();
    expectTypeOf<Master['reachable' | 'subscribed']>().toEqualTypeOf<boolean>();
    expectTypeOf<Master['heartbeat' | 'roundTrip']>().toEqualTypeOf<number | null>();
  });

  it('goes to Terminus under the key that was given, with the same facts', () => {
    const indicator = null as unknown as ClusterPubSubHealthIndicator;
    const check = async (): Promise<void> => {
      const result = await indicator.isHealthy('redis');
      expectTypeOf(result).toExtend<HealthIndicatorResult<'redis'>>();
      expectTypeOf(result.redis).toExtend<ClusterPubSubHealth>();
      expectTypeOf(result.redis.masters).toEqualTypeOf<PubSubHealth['masters']>();
    };
    expectTypeOf(check).toBeFunction();
  });
});
