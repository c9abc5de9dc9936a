import { ours } from './ours.js';

export const oursSharded = ours('sharded');
