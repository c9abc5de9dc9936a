import { FifoQueue } from '../../util/fifo-queue.js';
import { MAX_TIMER_MS } from '../common/validation.js';
import type { BufferPolicy } from '../common/options.js';

/** An iteration ends when nothing is subscribed any more; a single read does not. */
export type ReaderKind = 'iteration' | 'single';

/** Whether messages that a reader does not want are dropped, or left to other readers. */
export type OtherMessages = 'drop' | 'leave';

interface Reader<T> {
  readonly kind: ReaderKind;
  wants(item: T): boolean;
  readonly others: OtherMessages;
  take(item: T | undefined): void;
}

/**
 * Messages without a handler wait here for `listen()` and `getMessage()`, and readers wait for messages.
 *
 * Holds at most `limit` messages; above that, `policy` decides whether the oldest or the new one is dropped.
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
      return; // no waiting reader wants it, and one of them drops others
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
   * Returns the oldest wanted message; unwanted ones before it are dropped or left, depending on `others`. Waits at most
   * `timeout` ms (0: not at all; more than 24 days: until {@link release}), then returns undefined.
   */
  read(
    kind: ReaderKind,
    wants: (item: T) => boolean,
    timeout: number,
    others: OtherMessages = 'drop',
  ): Promise<T | undefined> {
    const buffered = others === 'leave' ? this.#items.take(wants) : this.#shiftTo(wants);
    if (buffered !== undefined) {
      return Promise.resolve(buffered);
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
        const expire = (): void => {
          this.#readers.delete(reader);
          resolve(undefined);
        };
        // A message may be in the socket: after a blocked event loop, timers run before sockets are read.
        timer = setTimeout(() => setImmediate(expire), timeout);
      }
    });
  }

  /** Ends the wait of these kinds of readers without a message. */
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

  /** Removes and returns the oldest wanted message; drops those before it. */
  #shiftTo(wants: (item: T) => boolean): T | undefined {
    for (let item = this.#items.shift(); item !== undefined; item = this.#items.shift()) {
      if (wants(item)) {
        return item;
      }
    }
    return undefined;
  }
}
