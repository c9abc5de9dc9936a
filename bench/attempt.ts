import type { ArmName } from './arms/index.js';
import type { Sample } from './sample.js';

/**
 * Runs one arm, and lets the others continue when it fails. Its round has no ratio then, and the run ends with exit code 1.
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
