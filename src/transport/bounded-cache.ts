/**
 * Remembers what can be worked out again. When full it starts anew: names that are made with each message
 * (`user.17`) must not be remembered without end, and others are soon back.
 *
 * @internal
 */
export class BoundedCache<V> {
  readonly #entries = new Map<string, V>();

  constructor(private readonly size = 4_096) {}

  get(key: string): V | undefined {
    return this.#entries.get(key);
  }

  set(key: string, value: V): void {
    if (this.#entries.size >= this.size) {
      this.#entries.clear();
    }
    this.#entries.set(key, value);
  }

  clear(): void {
    this.#entries.clear();
  }
}
