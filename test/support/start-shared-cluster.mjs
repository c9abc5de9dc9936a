import { tsImport } from 'tsx/esm/api';

/** Jest's globalSetup of the integration project: one cluster for every suite that only talks to it. */
export default async function startSharedCluster() {
  // Jest does not transform a global setup written as an ES module, so tsx reads our TypeScript here.
  const { startLocalCluster } = await tsImport('../../src/testing/index.ts', import.meta.url);
  const cluster = await startLocalCluster({ masters: 3, replicas: 1 });
  globalThis.sharedClusterOfTheRun = cluster;
  // Test workers are started after this and inherit the environment.
  process.env.CLUSTER_NODES = JSON.stringify(cluster.nodes);
}
