import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { compilePrograms } from './compile-programs.mjs';

/** Jest's globalSetup of the projects on real clusters: compiled programs, and one cluster for every suite that only talks to it. */
export default async function startSharedCluster() {
  const programs = await compilePrograms();
  const { startLocalCluster } = await import(pathToFileURL(join(programs, 'src/testing/index.js')).href);
  const cluster = await startLocalCluster({ masters: 3, replicas: 1 });
  globalThis.sharedClusterOfTheRun = cluster;
  // Test workers are started after this and inherit the environment.
  process.env.CLUSTER_NODES = JSON.stringify(cluster.nodes);
  process.env.COMPILED_PROGRAMS = programs;
}
