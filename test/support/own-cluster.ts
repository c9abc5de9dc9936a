import { afterAll, afterEach, beforeAll } from '@jest/globals';
import { type LocalCluster, type LocalClusterOptions, startLocalCluster } from '../../src/testing/index.js';

/** Allows for a busy machine: a cluster forms in about 2 s. */
const START_TIMEOUT_MS = 60_000;

/**
 * A cluster for one file, or one `describe`, that kills, pauses, fails over, reshards or configures: it starts before
 * the first test and stops after the last. Nodes that a test has paused are resumed after it.
 */
export function ownCluster(options?: LocalClusterOptions): LocalCluster {
  let cluster: LocalCluster | undefined;
  const started = (): LocalCluster => {
    if (cluster === undefined)
      throw new Error('The cluster starts in beforeAll: use it in hooks and tests only.');
    return cluster;
  };
  beforeAll(async () => {
    cluster = await startLocalCluster(options);
  }, START_TIMEOUT_MS);
  afterEach(async () => {
    await Promise.all(started().nodes.map((node) => started().resume(node)));
  });
  afterAll(() => cluster?.stop());
  // A file is read before its cluster runs, so it gets a stand-in that looks up the real one at each use.
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
