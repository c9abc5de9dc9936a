import type { ClusterNode } from 'ioredis';

/** A cluster to connect to. The nodes of one that has not started yet are read when they are needed. */
export interface ClusterSource {
  readonly nodes: readonly ClusterNode[];
}

/**
 * Startup nodes of the one cluster (3 masters, 3 replicas) that all integration suites share.
 *
 * Use channel names of your own, and break nothing: a suite that kills, pauses, fails over or reshards starts a
 * cluster of its own with `ownCluster()`.
 */
export function sharedCluster(): ClusterNode[] {
  const nodes = process.env.CLUSTER_NODES;
  if (nodes === undefined) throw new Error('No shared cluster: only suites in test/integration have one.');
  return JSON.parse(nodes) as ClusterNode[];
}
