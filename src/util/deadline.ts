import { withTimeout } from './promises.js';

/** A time limit that starts when it is created. */
export class Deadline {
  readonly #at: number;

  constructor(
    /** In ms from now. */
    readonly ms: number,
  ) {
    this.#at = performance.now() + ms;
  }

  /** The remaining time, in ms. */
  get left(): number {
    return Math.max(0, this.#at - performance.now());
  }

  /** Settles like `promise`, or rejects with the error of `onTimeout` when the time is over. */
  or<T>(promise: Promise<T>, onTimeout: (ms: string) => Error): Promise<T> {
    return withTimeout(promise, this.left, () => onTimeout(String(Math.round(this.ms))));
  }
}
