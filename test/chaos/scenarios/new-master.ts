import type { Scenario } from '../scenario.js';
import { busiestSlots, moveSlots } from './slots.js';

const slotsOfEach = 60;

/** The cluster grows: a master joins, and gets slots of every other. */
export const newMaster: Scenario = {
  name: 'new-master',
  quiet: true,
  leavesTraces: true,
  run: async (stage) => {
    const { cluster } = stage;
    const masters = await stage.masters();
    stage.fault('a new master joins');
    const added = await cluster.addMaster();
    stage.note(`it is ${added.port}`);
    await stage.traffic(1_000);
    for (const master of masters) {
      stage.fault(`${slotsOfEach} slots of ${master.port} move to ${added.port}`);
      await moveSlots(stage, busiestSlots(master, slotsOfEach), added);
    }
  },
};
