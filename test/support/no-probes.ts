import type { NodeProbeDeps } from '../../src/pubsub/reconciler/node-subscriber.js';

/** For a node subscriber that never probes its connection. */
export const noProbes = {
  limits: { probeInterval: 0, probeTimeout: 1_000 },
  topology: { refreshSoon: () => undefined },
  prefix: () => '',
} as NodeProbeDeps;
