/**
 * Tries `candidates` one after the other and gives the first success. The next one is started when the one before has
 * failed, or has not answered within `patience` ms: one node that hangs does not delay the answer of another.
 *
 * When all have failed it rejects with what `failure` makes of their errors, in the order they came.
 */
export function hedge<C, T>(
  candidates: readonly C[],
  attempt: (candidate: C) => Promise<T>,
  patience: number,
  failure: (errors: readonly unknown[]) => Error,
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
          reject(failure(errors));
        }
        return;
      }
      running += 1;
      timer = setTimeout(startNext, patience);
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
