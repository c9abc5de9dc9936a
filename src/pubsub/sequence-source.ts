import { randomBytes } from 'node:crypto';

/** One run of numbers: all messages of a counter under one epoch. */
interface Counter {
  /** The stamp up to the number. */
  readonly head: string;
  next: number;
}

/**
 * Gives each message of a publisher its stamp, `<publisher>.<epoch>.<seq>`: the numbers of one counter follow each
 * other without a hole, from 0.
 *
 * A publisher may name any number of channels in its life, so that counters are remembered in two generations of a
 * bounded size (10,000 in all); when the young one is full, the old one is forgotten. A counter that was forgotten
 * starts again under an epoch that was never used: to receivers, a new stream.
 */
export class SequenceSource {
  #young = new Map<string, Counter>();
  #old = new Map<string, Counter>();
  #epochs = 0;

  /** @param publisherId 1 to 24 characters of base64url, of which no other publisher may have the same. Default: 8 random ones. */
  constructor(
    private readonly publisherId = randomBytes(6).toString('base64url'),
    private readonly generation = 5_000,
  ) {}

  /** The stamp of the next message of a counter. */
  next(name: string): string {
    const counter = this.#young.get(name) ?? this.#remember(name);
    const seq = counter.next;
    counter.next = seq + 1;
    return counter.head + seq.toString(36);
  }

  /** A number of the counter may have been lost for good: its next message starts under a new epoch. */
  spoil(name: string): void {
    this.#young.delete(name);
    this.#old.delete(name);
  }

  #remember(name: string): Counter {
    const counter = this.#old.get(name) ?? this.#fresh();
    if (this.#young.size >= this.generation) {
      this.#old = this.#young;
      this.#young = new Map();
    } else {
      this.#old.delete(name);
    }
    this.#young.set(name, counter);
    return counter;
  }

  #fresh(): Counter {
    const head = `${this.publisherId}.${this.#epochs.toString(36)}.`;
    this.#epochs += 1;
    return { head, next: 0 };
  }
}
