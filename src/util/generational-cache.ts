/**
 * Remembers what was used lately: two generations of a bounded size. When the young one is full, the old one is
 * forgotten, but for what `isNeeded` keeps.
 */
export class GenerationalCache<V> {
  #young = new Map<string, V>();
  #old: Map<string, V> | undefined;
  #full: number;

  constructor(
    /** How many are remembered at least. */
    private readonly size: number,
    private readonly isNeeded: (value: V) => boolean = () => false,
  ) {
    this.#full = size;
  }

  get(key: string): V | undefined {
    return this.#young.get(key) ?? this.#older(key);
  }

  add(key: string, value: V): void {
    if (this.#young.size >= this.#full) {
      const needed = this.#old === undefined ? [] : [...this.#old].filter(([, one]) => this.isNeeded(one));
      this.#old = this.#young;
      this.#young = new Map(needed);
      this.#full = needed.length + this.size;
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
