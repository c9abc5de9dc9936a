import type { ArmName } from './arms/index.js';
import type { Section } from './options.js';
import type { Measurement, ProfileOfBoth } from './session.js';

/** One measurement of one arm in one round. */
export interface Sample extends Measurement {
  readonly section: Section;
  /** Names what was done, the same for all arms. */
  readonly load: string;
  /** Where on a curve it stands. */
  readonly x?: number;
  readonly arm: ArmName;
  readonly round: number;
  /** In the section of that name. */
  readonly profile?: ProfileOfBoth;
}
