import type { ClusterPubSubError } from './errors.js';

/**
 * Tries `candidates` one after the other and gives the first success. The next one is started when the one before has
 * failed, or has not answered within `patience` ms: one node that hangs does not delay the answer of another.
 *
 * Rejects with the error of the first candidate that failed when all have.
 */
export function firstSuccess<C, T>(
  candidates: readonly C[],
  attempt: (candidate: C) => Promise<T>,
  patience: number,
  nobody: () => ClusterPubSubError,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const rest = candidates.values();
    let running = 0;
    let firstError: Error | undefined;
    let timer: NodeJS.Timeout | undefined;
    const startNext = (): void => {
      clearTimeout(timer);
      const next = rest.next();
      if (next.done === true) {
        if (running === 0) {
          reject(firstError ?? nobody());
        }
        return;
      }
      running += 1;
      timer = setTimeout(startNext, patience);
      attempt(next.value).then(
        (value) => {
          clearTimeout(timer);
          resolve(value);
        },
        (error: unknown) => {
          running -= 1;
          firstError ??= error instanceof Error ? error : new Error(String(error));
          startNext();
        },
      );
    };
    startNext();
  });
}
