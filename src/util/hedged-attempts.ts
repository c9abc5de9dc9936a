/**
 * Tries `candidates` one after the other and resolves with the first success. The next attempt starts when the previous
 * one has failed, or has not succeeded within `delay` ms, so that one unresponsive node does not delay the others.
 *
 * When all have failed, it rejects with the error that `toError` creates from theirs, in the order of the failures.
 */
export function hedge<C, T>(
  candidates: readonly C[],
  attempt: (candidate: C) => Promise<T>,
  delay: number,
  toError: (errors: readonly unknown[]) => Error,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const rest = candidates.values();
    const errors: unknown[] = [];
    let running = 0;
    let succeeded = false;
    let timer: NodeJS.Timeout | undefined;
    const startNext = (): void => {
      clearTimeout(timer);
      const next = rest.next();
      if (next.done === true) {
        if (running === 0) {
          reject(toError(errors));
        }
        return;
      }
      running += 1;
      timer = setTimeout(startNext, delay);
      attempt(next.value).then(
        (value) => {
          succeeded = true;
          clearTimeout(timer);
          resolve(value);
        },
        (error: unknown) => {
          running -= 1;
          errors.push(error);
          if (!succeeded) {
            startNext();
          }
        },
      );
    };
    startNext();
  });
}
