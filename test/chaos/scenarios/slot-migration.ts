import type { Scenario } from '../scenario.js';
import { busiestSlots, moveSlots } from './slots.js';

/** Live, with the traffic on the slots that move; there and back. */
export function slotMigration(count: number): Scenario {
  return {
    name: 'slot-migration',
    quiet: true,
    run: async (stage) => {
      const [source, target] = stage.random.shuffle(await stage.masters());
      if (source === undefined || target === undefined) throw new Error('Two masters are needed.');
      const slots = busiestSlots(source, count);
      stage.fault(`${count} slots move from ${source.port} to ${target.port}`);
      await moveSlots(stage, slots, target);
      await stage.traffic(1_000);
      stage.fault('and back');
      await moveSlots(stage, slots, source);
    },
  };
}
