/** Runs a task soon after each request, but at most once per `interval` ms. The last request is never lost. */
export class Throttle {
  #lastRun = -Infinity;
  #timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly task: () => void,
    private readonly interval: number,
  ) {}

  schedule(): void {
    if (this.#timer !== undefined) {
      return;
    }
    const wait = this.#lastRun + this.interval - performance.now();
    if (wait <= 0) {
      this.#run();
    } else {
      this.#timer = setTimeout(() => {
        this.#timer = undefined;
        this.#run();
      }, wait).unref();
    }
  }

  /** Drops the run that waits for its time. */
  cancel(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #run(): void {
    this.#lastRun = performance.now();
    this.task();
  }
}
