import type { Scenario } from '../scenario.js';

/** Replicas carry no subscriptions, so clients must not notice. */
export const killReplica: Scenario = {
  name: 'kill-replica',
  quiet: true,
  run: async (stage) => {
    const { cluster } = stage;
    const replica = stage.random.pick(await stage.replicas());
    stage.fault(`kill -9 of replica ${replica.port}`);
    await cluster.kill(replica);
    await stage.traffic(4_000);
    stage.note(`${replica.port} starts again`);
    await cluster.restart(replica);
  },
};
