import { setTimeout as sleep } from 'node:timers/promises';

/** Resolves when `condition` holds; for what offers no event to wait for. Rejects after `timeout` ms. */
export async function eventually(
  condition: () => boolean | Promise<boolean>,
  what: string,
  timeout = 10_000,
): Promise<void> {
  const deadline = performance.now() + timeout;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`Not within ${timeout} ms: ${what}`);
    await sleep(20);
  }
}
