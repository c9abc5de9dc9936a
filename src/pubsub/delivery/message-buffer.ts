import { FifoQueue } from '../../util/fifo-queue.js';
import { MAX_TIMER_MS } from '../common/validation.js';
import type { BufferPolicy } from '../common/options.js';

/** Who reads: an iteration ends when nothing is subscribed any more, a single read does not. */
export type ReaderKind = 'iteration' | 'single';

/** What becomes of messages that a reader does not want: nobody gets them, or those who read after it do. */
export type OtherMessages = 'drop' | 'leave';

interface Reader<T> {
  readonly kind: ReaderKind;
  /** Whether this message is for the reader. */
  wants(item: T): boolean;
  readonly others: OtherMessages;
  take(item: T | undefined): void;
}

/**
 * Messages without a handler wait here for `listen()` and `getMessage()`; readers wait here for messages.
 *
 * Holds at most `limit` messages; when full, one is dropped: the oldest, or the new one, as `policy` has it.
 */
export class MessageBuffer<T> {
  readonly #items = new FifoQueue<T>();
  readonly #readers = new Set<Reader<T>>();

  constructor(
    private readonly limit: number,
    private readonly policy: BufferPolicy,
    private readonly onDropped: (item: T) => void,
  ) {}

  get length(): number {
    return this.#items.length;
  }

  push(item: T): void {
    let unwanted = false;
    for (const reader of this.#readers) {
      if (reader.wants(item)) {
        this.#readers.delete(reader);
        reader.take(item);
        return;
      }
      unwanted ||= reader.others === 'drop';
    }
    if (unwanted) {
      return; // those who read now do not want it
    }
    if (this.#items.length >= this.limit) {
      if (this.policy === 'drop-newest') {
        this.onDropped(item);
        return;
      }
      this.onDropped(this.#items.shift() as T);
    }
    this.#items.push(item);
  }

  /**
   * The oldest message that is wanted; unwanted ones before it are dropped or left, as `others` has it. Waits at most
   * `timeout` ms for it (0: not at all; more than 24 days: until {@link release}), then gives undefined.
   */
  read(
    kind: ReaderKind,
    wants: (item: T) => boolean,
    timeout: number,
    others: OtherMessages = 'drop',
  ): Promise<T | undefined> {
    const waiting = others === 'leave' ? this.#items.take(wants) : this.#shiftTo(wants);
    if (waiting !== undefined) {
      return Promise.resolve(waiting);
    }
    if (timeout <= 0) {
      return Promise.resolve(undefined);
    }
    return new Promise((resolve) => {
      let timer: NodeJS.Timeout | undefined;
      const reader: Reader<T> = {
        kind,
        wants,
        others,
        take: (item) => {
          clearTimeout(timer);
          resolve(item);
        },
      };
      this.#readers.add(reader);
      if (timeout <= MAX_TIMER_MS) {
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

  /** The oldest message that is wanted; those before it are dropped. */
  #shiftTo(wants: (item: T) => boolean): T | undefined {
    for (let item = this.#items.shift(); item !== undefined; item = this.#items.shift()) {
      if (wants(item)) {
        return item;
      }
    }
    return undefined;
  }
}
