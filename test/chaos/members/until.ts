import { setTimeout as sleep } from 'node:timers/promises';

/** Resolves when `condition` holds, or when `patience` ms are over: to whether it does. */
export async function until(condition: () => boolean, patience: number): Promise<boolean> {
  const deadline = performance.now() + patience;
  while (!condition()) {
    if (performance.now() >= deadline) return false;
    await sleep(20);
  }
  return true;
}
