import { withinMs } from '../../util/within-ms.js';

/** A handler that runs. */
export interface Work {
  /** Ends it although it has not finished. */
  abort(): void;
}

/**
 * The handlers that run, so that `close()` can let them finish.
 *
 * @internal
 */
export class ActiveWork {
  readonly #running = new Set<Work>();
  #idle: (() => void) | undefined;

  /** How many run. */
  get size(): number {
    return this.#running.size;
  }

  add(work: Work): void {
    this.#running.add(work);
  }

  delete(work: Work): void {
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
    await withinMs(ms, new Promise<void>((resolve) => (this.#idle = resolve)));
    this.#idle = undefined;
  }

  abortAll(): void {
    for (const work of [...this.#running]) {
      work.abort();
    }
  }
}
