import { Random } from './random.js';

/** Random numbers that pick one given node wherever it is among the choices. */
export class AimedRandom extends Random {
  constructor(
    private readonly chance: Random,
    private readonly port: number,
  ) {
    super(chance.seed);
  }

  override next(): number {
    return this.chance.next();
  }

  override pick<T>(items: readonly T[]): T {
    return items.find((item) => this.#isAim(item)) ?? super.pick(items);
  }

  /** Puts the given node first: what moves, moves away from it. */
  override shuffle<T>(items: readonly T[]): T[] {
    return super.shuffle(items).sort((a, b) => Number(this.#isAim(b)) - Number(this.#isAim(a)));
  }

  #isAim(item: unknown): boolean {
    return typeof item === 'object' && item !== null && 'port' in item && item.port === this.port;
  }
}
