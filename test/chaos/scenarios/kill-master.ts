import type { Scenario } from '../scenario.js';
import { killAndBringBack } from './kill-node.js';

/** Kills a master that does not own slot 0: the one that does has a scenario of its own. */
export const killMaster: Scenario = {
  name: 'kill-master',
  run: async (stage) => {
    const { port } = await stage.cluster.ownerOf(0);
    const others = (await stage.masters()).filter((master) => master.port !== port);
    await killAndBringBack(stage, stage.random.pick(others));
  },
};
