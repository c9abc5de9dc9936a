import type { Scenario } from '../scenario.js';

/** `andBack`: the node that was demoted becomes the master again. */
export function plannedFailover({ andBack }: { andBack: boolean }): Scenario {
  return {
    name: 'planned-failover',
    quiet: true,
    run: async (stage) => {
      const { cluster } = stage;
      const master = stage.random.pick(await stage.masters());
      const [replica] = await cluster.replicasOf(master);
      if (replica === undefined) throw new Error(`${master.port} has no replica.`);
      for (const next of andBack ? [replica, master] : [replica]) {
        stage.fault(`CLUSTER FAILOVER to ${next.port}`);
        await Promise.all([cluster.failover(next), stage.promotion([next])]);
        // The other masters vote once per shard in two node timeouts.
        if (andBack) await stage.traffic(4_500);
      }
    },
  };
}
