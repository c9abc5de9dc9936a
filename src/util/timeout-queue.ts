/** A timer fires at most this late, in ms: saves wake-ups where many items expire close together. */
const TIMER_RESOLUTION_MS = 10;

/** The longest delay that `setTimeout` takes, in ms. */
const MAX_DELAY_MS = 2 ** 31 - 1;

/**
 * The timeouts of many items on one timer, which does not keep the process alive. Items of the same duration expire in
 * the order in which they were started, which is the order of a `Map`: starting and stopping cost the same however many
 * wait, and only the first of each duration is looked at.
 */
export class TimeoutQueue<T> {
  /** When each item expires by `performance.now()`, by duration. */
  readonly #expiries = new Map<number, Map<T, number>>();
  #timer: NodeJS.Timeout | undefined;
  #firesAt = Infinity;
  /** What stops an item may be in a socket: after a blocked event loop, timers run before sockets are read. */
  readonly #expireSoon = (): void => void setImmediate(() => this.#expire());

  constructor(private readonly onExpired: (item: T) => void) {}

  /** Starts the timeout of an item, or restarts it, with the same duration in ms. */
  start(item: T, duration: number): void {
    let expiries = this.#expiries.get(duration);
    if (expiries === undefined) {
      this.#expiries.set(duration, (expiries = new Map<T, number>()));
    }
    const expiresAt = performance.now() + duration;
    expiries.delete(item);
    expiries.set(item, expiresAt);
    if (expiresAt < this.#firesAt) {
      this.#arm(expiresAt);
    }
  }

  stop(item: T, duration: number): void {
    this.#expiries.get(duration)?.delete(item);
  }

  clear(): void {
    clearTimeout(this.#timer);
    this.#firesAt = Infinity;
    this.#expiries.forEach((expiries) => expiries.clear());
    this.#expiries.clear();
  }

  #arm(at: number): void {
    clearTimeout(this.#timer);
    this.#firesAt = at;
    const delay = Math.min(Math.max(at - performance.now(), TIMER_RESOLUTION_MS), MAX_DELAY_MS);
    this.#timer = setTimeout(this.#expireSoon, delay).unref();
  }

  #expire(): void {
    this.#firesAt = Infinity;
    const now = performance.now();
    let next = Infinity;
    for (const [duration, expiries] of this.#expiries) {
      for (const [item, expiresAt] of expiries) {
        if (expiresAt > now) {
          next = Math.min(next, expiresAt);
          break;
        }
        expiries.delete(item);
        this.onExpired(item);
      }
      if (expiries.size === 0) {
        this.#expiries.delete(duration);
      }
    }
    // What expired may have started another item, and armed the timer for it.
    if (next < this.#firesAt) {
      this.#arm(next);
    }
  }
}
