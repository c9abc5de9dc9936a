/**
 * Remembers the last requests, to drop second copies: a sender that gets a doubtful count publishes the same bytes
 * again. Two generations of a bounded size; when the young one is full, the old one is forgotten.
 *
 * @internal
 */
export class SeenRequests {
  #young = new Set<string>();
  #old = new Set<string>();

  constructor(private readonly generation = 8192) {}

  /** Whether this is the first time; remembers it. */
  isFirst(key: string): boolean {
    if (this.#young.has(key) || this.#old.has(key)) {
      return false;
    }
    if (this.#young.size >= this.generation) {
      this.#old = this.#young;
      this.#young = new Set();
    }
    this.#young.add(key);
    return true;
  }
}
