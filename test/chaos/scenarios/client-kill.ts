import type { Scenario } from '../scenario.js';

const times = 20;

/** Every subscriber connection of every node is closed by the server, once a second. */
export const clientKill: Scenario = {
  name: 'client-kill',
  run: async (stage) => {
    for (let time = 1; time <= times; time++) {
      stage.fault(`CLIENT KILL TYPE pubsub on all nodes, ${time} of ${times}`);
      const { nodes } = stage.cluster;
      await Promise.all(nodes.map((node) => stage.nodes.ask(node, 'CLIENT', 'KILL', 'TYPE', 'pubsub')));
      await stage.traffic(1_000);
    }
  },
};
