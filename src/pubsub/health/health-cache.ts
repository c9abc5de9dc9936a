/** How many answers are kept at most. */
export const MOST_ANSWERS = 64;

interface SharedAnswer<Q, T> {
  readonly question: Q;
  readonly answer: Promise<T>;
  /** By the monotonic clock, in ms; Infinity while it is awaited. */
  until: number;
}

/**
 * Gives those who ask the same at the same time one answer, and those who come soon after it too: a load balancer that
 * asks 200 times a second costs the cluster as much as one that asks once.
 */
export class HealthCache<Q, T> {
  #answers: SharedAnswer<Q, T>[] = [];

  /** The answer to the question that `is` the one asked, where there is one that still holds. */
  find(is: (question: Q) => boolean): Promise<T> | undefined {
    const now = performance.now();
    return this.#answers.find(({ question, until }) => now < until && is(question))?.answer;
  }

  /**
   * Asks, and keeps the answer for `cacheTtl` ms from when it is there.
   *
   * @param ask resolves in any case
   */
  ask(question: Q, cacheTtl: number, ask: () => Promise<T>): Promise<T> {
    this.#makeRoom();
    const shared: SharedAnswer<Q, T> = { question, answer: ask(), until: Infinity };
    this.#answers.push(shared);
    void shared.answer.then(() => {
      shared.until = performance.now() + cacheTtl;
    });
    return shared.answer;
  }

  clear(): void {
    this.#answers = [];
  }

  /** Those that do not hold any more go first, then those that would go next. One that is awaited stays. */
  #makeRoom(): void {
    const now = performance.now();
    this.#answers = this.#answers.filter(({ until }) => now < until);
    if (this.#answers.length >= MOST_ANSWERS) {
      const next = this.#answers.reduce((one, other) => (other.until < one.until ? other : one));
      this.#answers = this.#answers.filter((one) => one !== next || one.until === Infinity);
    }
  }
}
