import { withTimeout } from './promises.js';

/** A point in time by which something must have happened. */
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

  /** Settles as `promise` does, or rejects with the error of `onTimeout` when the time is over. */
  or<T>(promise: Promise<T>, onTimeout: (ms: string) => Error): Promise<T> {
    return withTimeout(promise, this.left, () => onTimeout(String(Math.round(this.ms))));
  }
}
