/**
 * A cache of recently used values in two generations of a bounded size. When the young generation is full, the old one is
 * dropped, except for values that `isNeeded` keeps.
 */
export class GenerationalCache<V> {
  #young = new Map<string, V>();
  #old: Map<string, V> | undefined;
  #capacity: number;

  constructor(
    /** The number of values that are kept at least. */
    private readonly size: number,
    private readonly isNeeded: (value: V) => boolean = () => false,
  ) {
    this.#capacity = size;
  }

  get(key: string): V | undefined {
    return this.#young.get(key) ?? this.#older(key);
  }

  add(key: string, value: V): void {
    if (this.#young.size >= this.#capacity) {
      const needed =
        this.#old === undefined ? [] : [...this.#old].filter(([, value]) => this.isNeeded(value));
      this.#old = this.#young;
      this.#young = new Map(needed);
      this.#capacity = needed.length + this.size;
    }
    this.#young.set(key, value);
  }

  clear(): void {
    this.#young.clear();
    this.#old = undefined;
  }

  #older(key: string): V | undefined {
    const value = this.#old?.get(key);
    if (value !== undefined) {
      this.#old?.delete(key);
      this.add(key, value);
    }
    return value;
  }
}
