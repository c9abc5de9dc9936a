import { ours } from './ours.js';

/** Differs in events only: requests are sharded wherever Redis is 7 or newer. */
export const oursClassic = ours('classic');
