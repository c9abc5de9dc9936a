import type { LivenessProbeDeps } from '../../src/pubsub/liveness/liveness-probe.js';

/** For a session that is to prove nothing. */
export const noProbes = { limits: { probeInterval: 0, probeTimeout: 1_000 } } as LivenessProbeDeps;
