import { settledWithin } from '../../util/promises.js';

/** A handler that runs. */
export interface InFlightHandler {
  /** Ends it although it has not finished. */
  abort(): void;
}

/**
 * The handlers that run, so that `close()` can let them finish.
 *
 * @internal
 */
export class InFlightHandlers {
  readonly #running = new Set<InFlightHandler>();
  #idle: (() => void) | undefined;

  /** How many run. */
  get size(): number {
    return this.#running.size;
  }

  add(work: InFlightHandler): void {
    this.#running.add(work);
  }

  delete(work: InFlightHandler): void {
    this.#running.delete(work);
    if (this.#running.size === 0) {
      this.#idle?.();
    }
  }

  /** Resolves when nothing runs any more, or after `ms`. */
  async idle(ms: number): Promise<void> {
    if (this.#running.size === 0) {
      return;
    }
    await settledWithin(ms, new Promise<void>((resolve) => (this.#idle = resolve)));
    this.#idle = undefined;
  }

  abortAll(): void {
    for (const work of [...this.#running]) {
      work.abort();
    }
  }
}
