/** Runs something soon after each sign that it is due, but at most once per `spacing` ms; the last sign is never lost. */
export class Throttle {
  #lastRun = -Infinity;
  #due: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(
    private readonly run: () => void,
    private readonly spacing: number,
  ) {}

  schedule(): void {
    if (this.#due !== undefined || this.#closed) {
      return;
    }
    const wait = this.#lastRun + this.spacing - performance.now();
    if (wait <= 0) {
      this.#run();
    } else {
      this.#due = setTimeout(() => {
        this.#due = undefined;
        this.#run();
      }, wait).unref();
    }
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#due);
  }

  #run(): void {
    this.#lastRun = performance.now();
    this.run();
  }
}
