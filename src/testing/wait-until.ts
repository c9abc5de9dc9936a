import { setTimeout as sleep } from 'node:timers/promises';
import { LocalClusterError } from './errors.js';

/** Servers offer no event for what we wait for, so we ask them again after this many milliseconds. */
const pollInterval = 25;

/**
 * Asks again and again until `check` answers `true`. Any other answer says, in words, what is still missing.
 *
 * @throws LocalClusterError `TIMEOUT` with the last answer; whatever `check` throws
 */
export async function waitUntil(
  goal: string,
  timeout: number,
  check: () => true | string | Promise<true | string>,
): Promise<void> {
  const deadline = performance.now() + timeout;
  for (;;) {
    const answer = await check();
    if (answer === true) return;
    if (performance.now() >= deadline) {
      throw new LocalClusterError('TIMEOUT', `Not within ${timeout} ms: ${goal}; ${answer}.`);
    }
    await sleep(pollInterval);
  }
}
