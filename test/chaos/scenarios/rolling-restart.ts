import type { Scenario } from '../scenario.js';

/** Every node in turn, as an upgrade does it: the replicas first. */
export const rollingRestart: Scenario = {
  name: 'rolling-restart',
  run: async (stage) => {
    const { cluster } = stage;
    for (const node of [...(await stage.replicas()), ...(await stage.masters())]) {
      stage.fault(`restart of ${node.role} ${node.port}`);
      await cluster.restart(node);
      await stage.traffic(500);
    }
  },
};
