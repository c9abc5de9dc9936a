import type { Scenario } from '../scenario.js';

/**
 * A failover without a signal to clients: a demoted node accepts SPUBLISH and keeps its subscribers, so clients that do not
 * refresh stay on it.
 */
export const demotedNode: Scenario = {
  name: 'demoted-node',
  needs: { slotsRefreshInterval: 60_000 },
  run: async (stage) => {
    const { cluster } = stage;
    const master = stage.random.pick(await stage.masters());
    const [replica] = await cluster.replicasOf(master);
    if (replica === undefined) throw new Error(`${master.port} has no replica.`);
    stage.fault(`CLUSTER FAILOVER to ${replica.port}; clients refresh once a minute`);
    await Promise.all([cluster.failover(replica), stage.promotion([replica])]);
    await stage.traffic(6_000);
  },
};
