import { MAX_TIMER_MS } from '../../pubsub/common/validation.js';

/** A timer fires at most this early or late, in ms: it saves wake-ups where requests come thick. */
const COARSENESS = 10;

/** Those that wait equally long expire in the order in which they began to wait. */
interface Queue {
  first: Timed | undefined;
  last: Timed | undefined;
}

/** What can have a deadline: it is a link of a queue itself, so that to come and to go costs no search and no memory. */
export abstract class Timed {
  /** @internal */
  queue: Queue | undefined = undefined;
  /** @internal */
  before: Timed | undefined = undefined;
  /** @internal */
  after: Timed | undefined = undefined;
  /** By the monotonic clock, in ms. @internal */
  expiresAt = 0;
}

/**
 * The deadlines of all pending requests on one timer. Items of the same duration are a queue, and only its head needs
 * looking at; to start and to stop one costs the same however many wait.
 *
 * The timer does not keep the process alive.
 *
 * @internal
 */
export class RequestTimeouts<T extends Timed> {
  readonly #queues = new Map<number, Queue>();
  #timer: NodeJS.Timeout | undefined;
  #firesAt = Infinity;

  constructor(private readonly onExpired: (item: T) => void) {}

  /** Starts the time of an item, or starts it anew, in ms. A duration of 0 means no deadline. */
  start(item: T, duration: number): void {
    this.stop(item);
    if (duration === 0) {
      return;
    }
    item.expiresAt = performance.now() + duration;
    append(this.#queueOf(duration), item);
    if (item.expiresAt < this.#firesAt) {
      this.#arm(item.expiresAt);
    }
  }

  stop(item: T): void {
    if (item.queue !== undefined) {
      remove(item.queue, item);
    }
  }

  clear(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#firesAt = Infinity;
    for (const queue of this.#queues.values()) {
      while (queue.first !== undefined) {
        remove(queue, queue.first);
      }
    }
    this.#queues.clear();
  }

  #queueOf(duration: number): Queue {
    let queue = this.#queues.get(duration);
    if (queue === undefined) {
      queue = { first: undefined, last: undefined };
      this.#queues.set(duration, queue);
    }
    return queue;
  }

  #arm(at: number): void {
    clearTimeout(this.#timer);
    this.#firesAt = at;
    const delay = Math.min(Math.max(at - performance.now(), COARSENESS), MAX_TIMER_MS);
    this.#timer = setTimeout(() => this.#expire(), delay);
    this.#timer.unref();
  }

  #expire(): void {
    this.#timer = undefined;
    this.#firesAt = Infinity;
    const now = performance.now();
    let next = Infinity;
    for (const [duration, queue] of this.#queues) {
      for (let item = queue.first; item !== undefined; item = queue.first) {
        if (item.expiresAt > now) {
          next = Math.min(next, item.expiresAt);
          break;
        }
        remove(queue, item);
        this.onExpired(item as T);
      }
      if (queue.first === undefined) {
        this.#queues.delete(duration);
      }
    }
    // An expired item may have started another one, and armed the timer for it.
    if (next < this.#firesAt) {
      this.#arm(next);
    }
  }
}

function append(queue: Queue, item: Timed): void {
  item.queue = queue;
  item.before = queue.last;
  if (queue.last === undefined) {
    queue.first = item;
  } else {
    queue.last.after = item;
  }
  queue.last = item;
}

function remove(queue: Queue, item: Timed): void {
  const { before, after } = item;
  if (before === undefined) {
    queue.first = after;
  } else {
    before.after = after;
  }
  if (after === undefined) {
    queue.last = before;
  } else {
    after.before = before;
  }
  item.queue = undefined;
  item.before = undefined;
  item.after = undefined;
}
