/**
 * A histogram of durations.
 *
 * @publicApi
 */
export interface Durations {
  readonly count: number;
  /** Of all durations, in ms. */
  readonly sum: number;
  /** The number of durations up to `le` ms. Cumulative: the last bucket, of `Infinity`, counts all. */
  readonly buckets: readonly { readonly le: number; readonly count: number }[];
}

/** Upper bounds of the buckets in ms: from an empty handler up to longer than most callers wait. @internal */
export const DURATION_BOUNDS = [
  0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000,
] as const;

/** @internal */
export class DurationHistogram {
  readonly #counts = new Float64Array(DURATION_BOUNDS.length + 1);
  #sum = 0;

  record(ms: number): void {
    let at = 0;
    while (at < DURATION_BOUNDS.length && ms > (DURATION_BOUNDS[at] as number)) {
      at += 1;
    }
    (this.#counts[at] as number) += 1;
    this.#sum += ms;
  }

  read(): Durations {
    let count = 0;
    const buckets = [...DURATION_BOUNDS, Infinity].map((le, at) => ({
      le,
      count: (count += this.#counts[at] ?? 0),
    }));
    return { count, sum: this.#sum, buckets };
  }
}
