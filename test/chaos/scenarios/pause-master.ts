import type { Scenario } from '../scenario.js';

/** Half-open sockets: a frozen node accepts what is sent to it, and does not answer. */
export const pauseMaster: Scenario = {
  name: 'pause-master',
  run: async (stage) => {
    const { cluster } = stage;
    const master = stage.random.pick(await stage.masters());
    const replicas = await cluster.replicasOf(master);
    stage.fault(`SIGSTOP of master ${master.port}`);
    const resumes = stage.traffic(10_000);
    await cluster.pause(master);
    await stage.promotion(replicas);
    await resumes;
    stage.fault(`SIGCONT of ${master.port}`);
    await cluster.resume(master);
    await cluster.settled();
  },
};
