import { setTimeout as sleep } from 'node:timers/promises';
import { LocalClusterError } from './errors.js';

/** Servers emit no event for these conditions, so they are polled; in ms. */
const pollInterval = 25;

/**
 * Polls until `check` returns `true`. Any other result says in words what is missing.
 *
 * @throws LocalClusterError `TIMEOUT` with the last result, and any error of `check`
 */
export async function waitUntil(
  goal: string,
  timeout: number,
  check: () => true | string | Promise<true | string>,
): Promise<void> {
  const deadline = performance.now() + timeout;
  for (;;) {
    const result = await check();
    if (result === true) return;
    if (performance.now() >= deadline) {
      throw new LocalClusterError('TIMEOUT', `Timed out after ${timeout} ms: ${goal}; ${result}.`);
    }
    await sleep(pollInterval);
  }
}
