/**
 * A cache of recently used values in two generations of a bounded weight. When the young generation is full, the old one
 * is dropped, except for values that are needed.
 */
export class GenerationalCache<V> {
  #young = new Map<string, V>();
  #old: Map<string, V> | undefined;
  #weight = 0;
  #capacity: number;

  constructor(
    /** The weight that is kept at least, and half of what is kept at most. */
    private readonly size: number,
    private readonly isNeeded: (value: V) => boolean = () => false,
    /** By default the values are counted. */
    private readonly weigh: (value: V) => number = () => 1,
  ) {
    this.#capacity = size;
  }

  get(key: string): V | undefined {
    return this.#young.get(key) ?? this.#older(key);
  }

  add(key: string, value: V): void {
    const weight = this.weigh(value);
    if (this.#weight + weight > this.#capacity) {
      this.#startGeneration();
    }
    this.#young.set(key, value);
    this.#weight += weight;
  }

  /** A value that was just added, or got, weighs so much more. */
  grow(weight: number): void {
    this.#weight += weight;
    if (this.#weight > this.#capacity) {
      this.#startGeneration();
    }
  }

  /** The number of values. */
  get count(): number {
    return this.#young.size + (this.#old?.size ?? 0);
  }

  /** Drops the values that were not used for longest: half of them at most. */
  shed(): void {
    this.#startGeneration();
  }

  #startGeneration(): void {
    const needed = this.#old === undefined ? [] : [...this.#old].filter(([, value]) => this.isNeeded(value));
    this.#old = this.#young;
    this.#young = new Map(needed);
    this.#weight = needed.reduce((sum, [, value]) => sum + this.weigh(value), 0);
    this.#capacity = this.#weight + this.size;
  }

  values(): V[] {
    return [...this.#young.values(), ...(this.#old?.values() ?? [])];
  }

  clear(): void {
    this.#young.clear();
    this.#old = undefined;
    this.#weight = 0;
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
