import { LONGEST_TIMER } from '../pubsub/limits.js';

/** A timer fires at most this early or late, in ms: it saves wake-ups where requests come thick. */
const COARSENESS = 10;

/**
 * The deadlines of all pending requests on one timer. Items of the same duration expire in the order in which they
 * were added, so that each duration is a queue and only its head needs looking at; adding and deleting cost no timer.
 *
 * The timer does not keep the process alive.
 *
 * @internal
 */
export class Deadlines<T> {
  /** Duration to its items, each with the time it expires at, the earliest first. */
  readonly #queues = new Map<number, Map<T, number>>();
  #timer: NodeJS.Timeout | undefined;
  #firesAt = Infinity;

  constructor(private readonly onExpired: (item: T) => void) {}

  /** Starts the time of an item, or starts it anew. A duration of 0 means no deadline. */
  add(item: T, duration: number): void {
    if (duration === 0) {
      return;
    }
    let queue = this.#queues.get(duration);
    if (queue === undefined) {
      this.#queues.set(duration, (queue = new Map<T, number>()));
    }
    const expiresAt = performance.now() + duration;
    queue.delete(item);
    queue.set(item, expiresAt);
    if (expiresAt < this.#firesAt) {
      this.#arm(expiresAt);
    }
  }

  delete(item: T, duration: number): void {
    this.#queues.get(duration)?.delete(item);
  }

  clear(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#firesAt = Infinity;
    this.#queues.clear();
  }

  #arm(at: number): void {
    clearTimeout(this.#timer);
    this.#firesAt = at;
    const delay = Math.min(Math.max(at - performance.now(), COARSENESS), LONGEST_TIMER);
    this.#timer = setTimeout(() => this.#expire(), delay);
    this.#timer.unref();
  }

  #expire(): void {
    this.#timer = undefined;
    this.#firesAt = Infinity;
    const now = performance.now();
    let next = Infinity;
    for (const [duration, queue] of this.#queues) {
      for (const [item, expiresAt] of queue) {
        if (expiresAt > now) {
          next = Math.min(next, expiresAt);
          break;
        }
        queue.delete(item);
        this.onExpired(item);
      }
      if (queue.size === 0) {
        this.#queues.delete(duration);
      }
    }
    // An expired item may have added another one, and armed the timer for it.
    if (next < this.#firesAt) {
      this.#arm(next);
    }
  }
}
