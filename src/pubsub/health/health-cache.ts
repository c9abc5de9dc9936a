export const MAX_CACHED_RESULTS = 64;

interface CachedResult<T> {
  readonly result: Promise<T>;
  /** By the monotonic clock, in ms; Infinity while the result is awaited. */
  until: number;
}

/**
 * Shares results between equal checks that run at the same time or soon after one another: a load balancer that checks 200
 * times a second costs the cluster as much as one that checks once.
 */
export class HealthCache<T> {
  readonly #results = new Map<string, CachedResult<T>>();

  /**
   * The cached result of the key, or that of `check`, which is then kept for `ttlOf` it, in ms.
   *
   * @param check never rejects
   */
  get(key: string, ttlOf: (result: T) => number, check: () => Promise<T>): Promise<T> {
    const known = this.#results.get(key);
    if (known !== undefined && performance.now() < known.until) {
      return known.result;
    }
    this.#makeRoom();
    const cached: CachedResult<T> = { result: check(), until: Infinity };
    this.#results.set(key, cached);
    void cached.result.then((result) => {
      cached.until = performance.now() + ttlOf(result);
    });
    return cached.result;
  }

  clear(): void {
    this.#results.clear();
  }

  /** Deletes expired results, and where that is not enough the one that expires next; awaited ones stay. */
  #makeRoom(): void {
    const now = performance.now();
    for (const [key, { until }] of this.#results) {
      if (until <= now) {
        this.#results.delete(key);
      }
    }
    if (this.#results.size >= MAX_CACHED_RESULTS) {
      const [key, next] = [...this.#results].reduce((one, other) =>
        other[1].until < one[1].until ? other : one,
      );
      if (next.until !== Infinity) {
        this.#results.delete(key);
      }
    }
  }
}
