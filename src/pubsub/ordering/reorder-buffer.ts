/** A message that arrived before an earlier one of its stream. */
interface Early<M> {
  readonly message: M;
  /** By the monotonic clock, in ms. */
  readonly since: number;
}

/** The messages of one stream that wait for earlier ones: by sequence number, in order of arrival. */
export class ReorderBuffer<M> {
  readonly #early = new Map<number, Early<M>>();
  #highest = 0;

  get size(): number {
    return this.#early.size;
  }

  /** The highest number that was ever added. */
  get highest(): number {
    return this.#highest;
  }

  /** When the message that has waited longest arrived. */
  get oldest(): number {
    for (const { since } of this.#early.values()) {
      return since;
    }
    return Infinity;
  }

  /** Returns false for a duplicate. */
  add(seq: number, message: M): boolean {
    if (this.#early.has(seq)) {
      return false;
    }
    this.#highest = Math.max(this.#highest, seq);
    this.#early.set(seq, { message, since: performance.now() });
    return true;
  }

  take(seq: number): Early<M> | undefined {
    const early = this.#early.get(seq);
    this.#early.delete(seq);
    return early;
  }

  /** Removes and returns all messages in the order of their sequence numbers. */
  drain(): [seq: number, message: M][] {
    const all = [...this.#early].sort(([a], [b]) => a - b);
    this.#early.clear();
    return all.map(([seq, { message }]) => [seq, message]);
  }
}
