/** How many different questions are remembered. */
const MOST_QUESTIONS = 16;

interface SharedAnswer<T> {
  readonly answer: Promise<T>;
  /** By the monotonic clock, in ms. */
  until: number;
}

/**
 * Gives those who ask the same at the same time one answer, and those who come soon after it too: a load balancer that
 * asks 200 times a second costs the cluster as much as one that asks twice.
 */
export class SharedAnswers<T> {
  readonly #answers = new Map<string, SharedAnswer<T>>();

  /** @param ask resolves in any case */
  get(key: string, cacheFor: number, ask: () => Promise<T>): Promise<T> {
    const known = this.#answers.get(key);
    if (known !== undefined && performance.now() < known.until) {
      return known.answer;
    }
    const shared: SharedAnswer<T> = { answer: ask(), until: Infinity };
    this.#answers.delete(key); // so that the first of the map is the one that was asked longest ago
    this.#answers.set(key, shared);
    this.#forgetOldest();
    void shared.answer.then(() => {
      shared.until = performance.now() + cacheFor;
    });
    return shared.answer;
  }

  clear(): void {
    this.#answers.clear();
  }

  #forgetOldest(): void {
    for (const key of this.#answers.keys()) {
      if (this.#answers.size <= MOST_QUESTIONS) {
        return;
      }
      this.#answers.delete(key);
    }
  }
}
