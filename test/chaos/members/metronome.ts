/** Interval of the checks for due calls, in ms. */
const beat = 10;

/** Calls `act` at a steady rate, in small batches; after a pause of the process it catches up at most a second. */
export class Metronome {
  #timer: NodeJS.Timeout | undefined;
  #due = 0;
  #last = 0;

  constructor(
    private readonly perSecond: number,
    private readonly act: () => void,
  ) {}

  start(): void {
    this.#last = performance.now();
    this.#timer ??= setInterval(() => this.#tick(), beat);
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #tick(): void {
    const now = performance.now();
    this.#due = Math.min(this.#due + ((now - this.#last) * this.perSecond) / 1_000, this.perSecond);
    this.#last = now;
    for (; this.#due >= 1; this.#due -= 1) this.act();
  }
}
