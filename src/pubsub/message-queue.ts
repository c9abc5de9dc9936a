import { Fifo } from './fifo.js';
import { LONGEST_TIMER } from './limits.js';
import type { BufferPolicy } from './options.js';

/** Who reads: an iteration ends when nothing is subscribed any more, a single read does not. */
export type ReaderKind = 'iteration' | 'single';

interface Reader<T> {
  readonly kind: ReaderKind;
  /** Whether this message is for the reader; one that is not is dropped. */
  wants(item: T): boolean;
  take(item: T | undefined): void;
}

/**
 * Messages without a handler wait here for `listen()` and `getMessage()`; readers wait here for messages.
 *
 * Holds at most `limit` messages; when full, one is dropped: the oldest, or the new one, as `policy` has it.
 */
export class MessageQueue<T> {
  readonly #items = new Fifo<T>();
  readonly #readers = new Set<Reader<T>>();
  #dropped = 0;

  constructor(
    private readonly limit: number,
    private readonly policy: BufferPolicy,
    private readonly onDropped: (item: T) => void,
  ) {}

  get length(): number {
    return this.#items.length;
  }

  /** How many messages were dropped because nobody read them in time. */
  get dropped(): number {
    return this.#dropped;
  }

  push(item: T): void {
    for (const reader of this.#readers) {
      if (reader.wants(item)) {
        this.#readers.delete(reader);
        reader.take(item);
        return;
      }
    }
    if (this.#readers.size > 0) {
      return; // those who read now do not want it
    }
    if (this.#items.length >= this.limit) {
      this.#dropped += 1;
      if (this.policy === 'drop-newest') {
        this.onDropped(item);
        return;
      }
      this.onDropped(this.#items.shift() as T);
    }
    this.#items.push(item);
  }

  /**
   * The oldest message that is wanted; unwanted ones before it are dropped. Waits at most `timeout` ms for it (0: not
   * at all; more than 24 days: until {@link release}), then gives undefined.
   */
  read(kind: ReaderKind, wants: (item: T) => boolean, timeout: number): Promise<T | undefined> {
    for (let item = this.#items.shift(); item !== undefined; item = this.#items.shift()) {
      if (wants(item)) {
        return Promise.resolve(item);
      }
    }
    if (timeout <= 0) {
      return Promise.resolve(undefined);
    }
    return new Promise((resolve) => {
      let timer: NodeJS.Timeout | undefined;
      const reader: Reader<T> = {
        kind,
        wants,
        take: (item) => {
          clearTimeout(timer);
          resolve(item);
        },
      };
      this.#readers.add(reader);
      if (timeout <= LONGEST_TIMER) {
        timer = setTimeout(() => {
          this.#readers.delete(reader);
          resolve(undefined);
        }, timeout);
      }
    });
  }

  /** Lets the waiting readers of these kinds go without a message. */
  release(...kinds: readonly ReaderKind[]): void {
    for (const reader of [...this.#readers]) {
      if (kinds.includes(reader.kind)) {
        this.#readers.delete(reader);
        reader.take(undefined);
      }
    }
  }

  clear(): void {
    this.#items.drain();
  }
}
