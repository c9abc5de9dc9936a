import { newMetrics } from '../../src/pubsub/common/metrics.js';
import type { LivenessProbeDeps } from '../../src/pubsub/liveness/liveness-probe.js';

/** For a node subscriber that never probes its connection. */
export const noProbes = {
  limits: { probeInterval: 0, probeTimeout: 1_000 },
  metrics: newMetrics(),
} as LivenessProbeDeps;
