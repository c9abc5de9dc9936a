/** Functions that are called with each event, in the order in which they were added. */
export class Listeners<T> {
  readonly #listeners = new Set<(event: T) => void>();

  /** Until the signal aborts. */
  add(listener: (event: T) => void, signal: AbortSignal): void {
    this.#listeners.add(listener);
    signal.addEventListener('abort', () => this.#listeners.delete(listener), { once: true });
  }

  call(event: T): void {
    for (const listener of this.#listeners) {
      listener(event);
    }
  }
}
