/** By when something must have happened. */
export class Deadline {
  readonly #at: number;

  constructor(
    /** In ms from now. */
    readonly ms: number,
  ) {
    this.#at = performance.now() + ms;
  }

  /** In ms. */
  get left(): number {
    return Math.max(0, this.#at - performance.now());
  }

  /** What `promise` comes to, or a rejection with what `late` makes when time is up. */
  async or<T>(promise: Promise<T>, late: (ms: string) => Error): Promise<T> {
    let timer: NodeJS.Timeout | undefined;
    const expiry = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        reject(late(String(Math.round(this.ms))));
      }, this.left);
    });
    try {
      return await Promise.race([promise, expiry]);
    } finally {
      clearTimeout(timer);
    }
  }
}
