import type { Scenario } from '../scenario.js';

const delay = 300;

/** A slow network between all clients and one master. */
export const slowConnection: Scenario = {
  name: 'slow-connection',
  needs: { proxies: true },
  run: async (stage) => {
    const master = stage.random.pick(await stage.masters());
    stage.fault(`${delay} ms more each way to and from ${master.port}`);
    stage.proxyOf(master).slow(delay);
    await stage.traffic(6_000);
    stage.fault(`${master.port} is reached without a delay again`);
    stage.proxyOf(master).slow(0);
  },
};
