/**
 * Lets calls that meet share one question, but never one that was asked before the call: what the caller has just seen
 * may be newer than its answer. So at most one runs and one waits, however many ask.
 */
export class SingleFlight {
  #running: Promise<void> | undefined;
  #next: Promise<void> | undefined;

  constructor(private readonly ask: () => Promise<void>) {}

  run(): Promise<void> {
    if (this.#running === undefined) {
      this.#running = this.ask().finally(() => {
        this.#running = undefined;
      });
      return this.#running;
    }
    this.#next ??= this.#running
      .catch(() => undefined)
      .then(() => {
        this.#next = undefined;
        return this.run();
      });
    return this.#next;
  }
}
