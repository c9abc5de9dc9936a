import type { Scenario } from '../scenario.js';
import { killAndBringBack } from './kill-node.js';

/** Pattern subscriptions are pinned to the owner of slot 0. */
export const killPatternOwner: Scenario = {
  name: 'kill-pattern-owner',
  run: async (stage) => killAndBringBack(stage, await stage.cluster.ownerOf(0)),
};
