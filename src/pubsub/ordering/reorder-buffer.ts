/** A message that came before its time. */
interface Early<M> {
  readonly message: M;
  /** By the monotonic clock, in ms. */
  readonly since: number;
}

/** The messages of one stream that wait for those before them; by sequence, in the order of arrival. */
export class ReorderBuffer<M> {
  readonly #early = new Map<number, Early<M>>();

  get size(): number {
    return this.#early.size;
  }

  /** When the one that waits longest came. */
  get oldest(): number {
    for (const { since } of this.#early.values()) {
      return since;
    }
    return Infinity;
  }

  /** False if the same one waits already. */
  add(seq: number, message: M): boolean {
    if (this.#early.has(seq)) {
      return false;
    }
    this.#early.set(seq, { message, since: performance.now() });
    return true;
  }

  take(seq: number): Early<M> | undefined {
    const early = this.#early.get(seq);
    this.#early.delete(seq);
    return early;
  }

  /** Takes all of them out, in the order of their sequence. */
  drain(): [seq: number, message: M][] {
    const all = [...this.#early].sort(([a], [b]) => a - b);
    this.#early.clear();
    return all.map(([seq, { message }]) => [seq, message]);
  }
}
