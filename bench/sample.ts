import type { ArmName } from './arms/index.js';
import type { Section } from './options.js';
import type { Measurement, ProfileOfBoth } from './session.js';

/** One measurement of one arm in one round. */
export interface Sample extends Measurement {
  readonly section: Section;
  /** The name of the load, the same for all arms. */
  readonly load: string;
  /** Its position on the x axis of a curve. */
  readonly x?: number;
  readonly arm: ArmName;
  readonly round: number;
  /** Set in the section of that name. */
  readonly profile?: ProfileOfBoth;
}
