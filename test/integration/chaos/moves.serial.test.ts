import { it } from '@jest/globals';
import { plannedFailover } from '../../chaos/scenarios/planned-failover.js';
import { slotMigration } from '../../chaos/scenarios/slot-migration.js';
import { chaosWorld } from '../../support/chaos-world.js';

// Nothing may fail or be missed here, not even reported: a machine that is busy with other tests would be noticed.
const accountForAll = chaosWorld();

it('follows slots that move under load, there and back, without any effect', async () => {
  await accountForAll(slotMigration(30));
}, 60_000);

it('goes through a planned failover without any effect', async () => {
  await accountForAll(plannedFailover({ andBack: false }));
}, 60_000);
