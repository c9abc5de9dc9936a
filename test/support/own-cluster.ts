import { afterAll, afterEach, beforeAll } from '@jest/globals';
import { type LocalCluster, type LocalClusterOptions, startLocalCluster } from '../../src/testing/index.js';

/** How long a test file may wait for its cluster on a busy machine, in ms. */
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
  // The tests of a file are read before its cluster runs: what they get looks for the real one at each use.
  return new Proxy({} as LocalCluster, {
    get(_, property: keyof LocalCluster): unknown {
      const value: unknown = started()[property];
      return typeof value === 'function' ? (value.bind(started()) as unknown) : value;
    },
  });
}

/** The configuration of a cluster that has no sharded pub/sub, as Redis 6: that is how this package tells the two apart. */
export const withoutSharded = {
  'rename-command': ['SPUBLISH', 'SSUBSCRIBE', 'SUNSUBSCRIBE'].map((command) => `${command} ""`),
};
