import { it } from '@jest/globals';
import { frozenConnection } from '../../chaos/scenarios/frozen-connection.js';
import { killMaster } from '../../chaos/scenarios/kill-master.js';
import { chaosWorld } from '../../support/chaos-world.js';

const accountForAll = chaosWorld();

it('reports whatever is lost when the network to one node freezes', async () => {
  await accountForAll(frozenConnection);
}, 60_000);

it('reports whatever is lost when a master is killed', async () => {
  await accountForAll(killMaster);
}, 60_000);
