import { afterAll, afterEach, beforeAll } from '@jest/globals';
import { type LocalCluster, type LocalClusterOptions, startLocalCluster } from '../../src/testing/index.js';
import { closeEverything } from './closing.js';

/** Allows for a busy machine: a cluster forms in about 2 s. */
const START_TIMEOUT_MS = 60_000;

/** The starts of the clusters of the file that imports this module; Jest loads it anew for each file. */
const starts: (() => Promise<LocalCluster>)[] = [];
let running: LocalCluster[] = [];

beforeAll(async () => {
  running = await Promise.all(starts.map((start) => start()));
}, START_TIMEOUT_MS);

afterEach(async () => {
  for (const cluster of running) {
    await Promise.all(cluster.nodes.map((node) => cluster.resume(node)));
  }
});

afterAll(async () => {
  await closeEverything();
  await Promise.all(running.map((cluster) => cluster.stop()));
});

/**
 * A cluster for a file that kills, pauses, fails over, reshards or configures. All clusters of a file start together
 * before its first test and stop after its last. Nodes that a test has paused are resumed after it.
 */
export function ownCluster(options?: LocalClusterOptions): LocalCluster {
  const index = starts.push(() => startLocalCluster(options)) - 1;
  const started = (): LocalCluster => {
    const cluster = running[index];
    if (cluster === undefined)
      throw new Error('The cluster starts in beforeAll: use it in hooks and tests only.');
    return cluster;
  };
  // A file is read before its clusters run, so it gets a stand-in that looks up the real one at each use.
  return new Proxy({} as LocalCluster, {
    get(_, property: keyof LocalCluster): unknown {
      const value: unknown = started()[property];
      return typeof value === 'function' ? (value.bind(started()) as unknown) : value;
    },
  });
}

/** The configuration of a cluster without sharded pub/sub: the only difference between Redis 6 and 7 to this package. */
export const withoutSharded = {
  'rename-command': ['SPUBLISH', 'SSUBSCRIBE', 'SUNSUBSCRIBE'].map((command) => `${command} ""`),
};
