/** The delay of a retry: `base · 2^attempt` ms, at most `cap` ms. Half of it is random, so that clients do not retry in step. */
export function backoffDelay(attempt: number, base = 25, cap = 1_000): number {
  const full = Math.min(cap, base * 2 ** Math.min(attempt, 16));
  return full / 2 + Math.random() * (full / 2);
}

/** Waits `ms`, or less if `signal` aborts; never rejects. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) {
    return Promise.resolve();
  }
  return new Promise((resolve) => {
    const finish = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', finish);
      resolve();
    };
    const timer = setTimeout(finish, ms);
    signal.addEventListener('abort', finish, { once: true });
  });
}
