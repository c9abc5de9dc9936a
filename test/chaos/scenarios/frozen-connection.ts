import type { Scenario } from '../scenario.js';

/** A network between all clients and one master that loses everything; the cluster's own links are fine. */
export const frozenConnection: Scenario = {
  name: 'frozen-connection',
  needs: { proxies: true },
  run: async (stage) => {
    const master = stage.random.pick(await stage.masters());
    stage.fault(`nothing passes to or from ${master.port}`);
    stage.proxyOf(master).freeze();
    await stage.traffic(6_000);
    stage.fault(`${master.port} can be reached again`);
    stage.proxyOf(master).thaw();
  },
};
