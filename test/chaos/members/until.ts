import { setTimeout as sleep } from 'node:timers/promises';

/** Resolves with true when `condition` holds, or with false after `timeout` ms. */
export async function until(condition: () => boolean, timeout: number): Promise<boolean> {
  const deadline = performance.now() + timeout;
  while (!condition()) {
    if (performance.now() >= deadline) return false;
    await sleep(20);
  }
  return true;
}
