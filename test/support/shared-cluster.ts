import type { ClusterNode } from 'ioredis';

/**
 * Startup nodes of the one cluster (3 masters, 3 replicas) that all integration suites share.
 *
 * Use channel names of your own, and break nothing: a suite that kills, pauses, fails over or reshards starts a
 * cluster of its own with `startLocalCluster()`.
 */
export function sharedCluster(): ClusterNode[] {
  const nodes = process.env.CLUSTER_NODES;
  if (nodes === undefined) throw new Error('No shared cluster: only suites in test/integration have one.');
  return JSON.parse(nodes) as ClusterNode[];
}
