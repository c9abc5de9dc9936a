import { expect, it } from '@jest/globals';
import type { HealthIndicatorService } from '@nestjs/terminus';
import type { ClusterPubSub, PubSubHealth } from '../../../src/pubsub/index.js';
import { ClusterPubSubHealthIndicator } from '../../../src/terminus/index.js';

/** As the indicators of Terminus 11 are: up or down. */
const terminus11 = {
  check: (key: string) => ({
    up: (data: object) => ({ [key]: { status: 'up', ...data } }),
    down: (data: object) => ({ [key]: { status: 'down', ...data } }),
  }),
} as unknown as HealthIndicatorService;

it.each([
  ['up', 'up'],
  ['degraded', 'up'],
  ['down', 'down'],
] as const)('what is %s is %s for Terminus 11, with the reasons', async (status, told) => {
  const reasons = status === 'up' ? [] : ['One.', 'Another.'];
  const pubsub = { health: async () => ({ status, reasons }) as unknown as PubSubHealth } as ClusterPubSub;
  const { redis } = await new ClusterPubSubHealthIndicator(terminus11).isHealthy('redis', { pubsub });
  expect(redis).toEqual({
    status: told,
    reasons,
    ...(status !== 'up' && { message: 'One. Another.' }),
    requests: { inFlight: 0, handling: 0 },
  });
});
