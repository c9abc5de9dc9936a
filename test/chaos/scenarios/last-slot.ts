import type { SlotRange } from '../../../src/testing/index.js';
import type { Scenario } from '../scenario.js';
import { busiestSlots } from './slots.js';

/** All slots of a master leave at once, where the server can do that, and it becomes a replica of the node that has them. */
export const lastSlot: Scenario = {
  name: 'last-slot',
  quiet: true,
  leavesTraces: true,
  run: async (stage) => {
    const { cluster } = stage;
    const master = stage.random.pick(await stage.masters());
    const added = await cluster.addMaster();
    const slots = busiestSlots(master, 10).map((slot): SlotRange => [slot, slot]);
    stage.fault(`10 slots of ${master.port} move to the new master ${added.port}`);
    await cluster.migrateSlots(slots, added);
    await stage.traffic(2_000);
    stage.fault('and back: the new master has none');
    await cluster.migrateSlots(slots, master);
    await cluster.settled();
  },
};
