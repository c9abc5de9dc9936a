import { newMetrics } from '../../src/pubsub/common/metrics.js';
import type { MigrationSink } from '../../src/pubsub/reconciler/subscription-migrations.js';
import type { SubscriptionScope } from '../../src/pubsub/subscription/subscription.js';

/** A scope that ignores its messages. */
export function silentScope(): SubscriptionScope & MigrationSink {
  return {
    metrics: newMetrics(),
    completeUntil: 0,
    receive: () => undefined,
    accept: () => undefined,
    recent: () => [],
  };
}
