import type { ArmName } from './arms/index.js';
import type { Measurement } from './session.js';

/** One measurement of one arm in one round. */
export interface Sample extends Measurement {
  readonly load: string;
  readonly arm: ArmName;
  readonly round: number;
}
