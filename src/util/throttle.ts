/** Runs a task soon after each request, but at most once per `interval` ms. The last request is never lost. */
export class Throttle {
  #lastRun = -Infinity;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(
    private readonly task: () => void,
    private readonly interval: number,
  ) {}

  schedule(): void {
    if (this.#timer !== undefined || this.#closed) {
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

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  #run(): void {
    this.#lastRun = performance.now();
    this.task();
  }
}
