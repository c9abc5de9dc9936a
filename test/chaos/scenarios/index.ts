import type { Scenario } from '../scenario.js';
import { clientKill } from './client-kill.js';
import { clusterDown } from './cluster-down.js';
import { demotedNode } from './demoted-node.js';
import { frozenConnection } from './frozen-connection.js';
import { killMaster } from './kill-master.js';
import { killPatternOwner } from './kill-pattern-owner.js';
import { killReplica } from './kill-replica.js';
import { lastSlot } from './last-slot.js';
import { newMaster } from './new-master.js';
import { pauseMaster } from './pause-master.js';
import { plannedFailover } from './planned-failover.js';
import { rollingRestart } from './rolling-restart.js';
import { slotMigration } from './slot-migration.js';
import { slowConnection } from './slow-connection.js';
import { withDelay } from './slow-network.js';

/** All scenarios, in the order of a run. */
export const scenarios: readonly Scenario[] = [
  killMaster,
  killPatternOwner,
  killReplica,
  pauseMaster,
  plannedFailover({ andBack: true }),
  slotMigration(500),
  newMaster,
  clientKill,
  clusterDown,
  slowConnection,
  frozenConnection,
  demotedNode,
  rollingRestart,
  lastSlot,
  withDelay(10, plannedFailover({ andBack: false })),
  withDelay(30, plannedFailover({ andBack: false })),
  withDelay(10, slotMigration(20)),
  withDelay(30, lastSlot),
];
