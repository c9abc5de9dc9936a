import type { Scenario } from '../scenario.js';

/** All nodes are down for a while, and start again. */
export const clusterDown: Scenario = {
  name: 'cluster-down',
  run: async (stage) => {
    const { cluster } = stage;
    stage.fault('kill -9 of every node');
    await Promise.all(cluster.nodes.map((node) => cluster.kill(node)));
    await stage.traffic(3_000);
    stage.fault('every node starts again');
    await Promise.all(cluster.nodes.map((node) => cluster.restart(node)));
    stage.note('the cluster is intact');
  },
};
