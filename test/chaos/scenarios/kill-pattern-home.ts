import type { Scenario } from '../scenario.js';
import { killAndBringBack } from './kill-node.js';

/** The owner of slot 0 is where pattern subscriptions stand. */
export const killPatternHome: Scenario = {
  name: 'kill-pattern-home',
  run: async (stage) => killAndBringBack(stage, await stage.cluster.ownerOf(0)),
};
