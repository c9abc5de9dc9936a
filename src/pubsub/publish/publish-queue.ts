import type { OverflowPolicy } from '../common/options.js';
import type { PublishRequest } from './publish-request.js';

/** Messages that wait, in the order of their calls. */
export class PublishQueue {
  #items: PublishRequest[] = [];

  get length(): number {
    return this.#items.length;
  }

  /** Almost always appends; a message that Redis has refused was published before some that wait. */
  add(request: PublishRequest): void {
    const items = this.#items;
    if (request.serial > (items.at(-1)?.serial ?? -1)) {
      items.push(request);
      return;
    }
    let low = 0;
    let high = items.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((items[middle] as PublishRequest).serial < request.serial) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    items.splice(low, 0, request);
  }

  peek(): PublishRequest | undefined {
    return this.#items[0];
  }

  /**
   * Adds a message unless `isFull`; returns the message that is dropped then. A message that was published already, and
   * waits for its count to be verified, is neither refused nor dropped.
   */
  addBounded(
    request: PublishRequest,
    isFull: boolean,
    onOverflow: OverflowPolicy,
  ): PublishRequest | undefined {
    let dropped: PublishRequest | undefined;
    if (isFull && request.unverifiedCount === undefined) {
      const oldest = this.#items.findIndex(({ unverifiedCount }) => unverifiedCount === undefined);
      if (onOverflow === 'reject' || oldest === -1) {
        return request;
      }
      [dropped] = this.#items.splice(oldest, 1);
    }
    this.add(request);
    return dropped;
  }

  /** Removes the messages whose deadline is over at `now`, in ms since the epoch. */
  takeExpired(now: number): PublishRequest[] {
    const expired = this.#items.filter(({ deadline }) => deadline <= now);
    if (expired.length > 0) {
      this.#items = this.#items.filter(({ deadline }) => deadline > now);
    }
    return expired;
  }

  /** Removes all messages, oldest first. */
  drain(): PublishRequest[] {
    return this.#items.splice(0);
  }
}
