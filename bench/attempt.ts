import type { ArmName } from './arms/index.js';
import type { Sample } from './sample.js';

/**
 * One arm that fails once is not to cost the half hour of the others. Its round has no ratio then, and the run ends
 * with 1.
 */
export async function attempt(
  arm: ArmName,
  play: () => Promise<readonly Sample[]>,
): Promise<readonly Sample[]> {
  try {
    return await play();
  } catch (error) {
    console.error(`  ${arm} has failed:`, error);
    process.exitCode = 1;
    return [];
  }
}
