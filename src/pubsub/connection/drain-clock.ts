/**
 * The most that one read returns: libuv's buffer, and OpenSSL's record over TLS. A full read means that more was waiting.
 */
const FULL_READ_BYTES = { plain: 65_536, tls: 16_384 } as const;

/** Data that waited for longer than this was not read in time: the event loop was busy, in ms. */
const BACKLOG_AGE_MS = 50;

/**
 * For so long after a full read of a backlog an incomplete read does not show that the backlog is over, in ms: the node
 * starts to send again when we have made room, a round trip later.
 */
const BACKLOG_TAIL_MS = 250;

/** A connection that the node closes within this time after a full read counts as a slow consumer. */
const SLOW_CONSUMER_WINDOW_MS = 1_000;

/**
 * Up to when everything that a socket was sent is known to have been read. Times are of the monotonic clock, in ms.
 *
 * The time at which data is read says nothing about when it arrived. Only a read that empties the socket does, and only
 * if nothing was held back by the node: Redis drops what it could not send when it disconnects a slow consumer.
 */
export class DrainClock {
  readonly #fullRead: number;
  #drainedAt: number;
  #drainedBefore: number;
  #lastFullRead = -Infinity;
  #backlogUntil = -Infinity;
  /** The socket may have held more than the last read took. */
  #isBehind = false;

  constructor(isTls: boolean, now: number) {
    this.#fullRead = isTls ? FULL_READ_BYTES.tls : FULL_READ_BYTES.plain;
    this.#drainedAt = now;
    this.#drainedBefore = now;
  }

  onRead(length: number, now: number): void {
    if (length >= this.#fullRead) {
      this.#lastFullRead = now;
      this.#isBehind = true;
      if (now - this.#drainedAt > BACKLOG_AGE_MS) {
        this.#backlogUntil = now + BACKLOG_TAIL_MS;
      }
    } else if (now >= this.#backlogUntil) {
      this.#isBehind = false;
      this.#drainedBefore = this.#drainedAt;
      this.#drainedAt = now;
    }
  }

  /**
   * Time up to which nothing can have been missed: when the socket was last empty but for the last such read, because data
   * of that one may have waited in the socket since then, and the connection may have ended meanwhile.
   */
  get completeUntil(): number {
    return this.#isBehind ? this.#drainedAt : this.#drainedBefore;
  }

  /** Whether a connection that ends now ends because we read too slowly. */
  isSlowConsumer(now: number): boolean {
    return now - this.#lastFullRead < SLOW_CONSUMER_WINDOW_MS;
  }
}
