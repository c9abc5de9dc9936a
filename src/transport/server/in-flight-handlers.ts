import { settledWithin } from '../../util/promises.js';

export interface InFlightHandler {
  /** Ends the execution although the handler has not finished. */
  abort(): void;
}

/**
 * The running handlers, which `close()` lets finish.
 *
 * @internal
 */
export class InFlightHandlers {
  readonly #running = new Set<InFlightHandler>();
  #idle: (() => void) | undefined;

  get size(): number {
    return this.#running.size;
  }

  add(handler: InFlightHandler): void {
    this.#running.add(handler);
  }

  delete(handler: InFlightHandler): void {
    this.#running.delete(handler);
    if (this.#running.size === 0) {
      this.#idle?.();
    }
  }

  /** Resolves when no handler runs, or after `ms`. */
  async idle(ms: number): Promise<void> {
    if (this.#running.size === 0) {
      return;
    }
    await settledWithin(ms, new Promise<void>((resolve) => (this.#idle = resolve)));
    this.#idle = undefined;
  }

  abortAll(): void {
    for (const handler of [...this.#running]) {
      handler.abort();
    }
  }
}
