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

  shift(): PublishRequest | undefined {
    return this.#items.shift();
  }

  /** Removes the oldest message for which `condition` holds. */
  take(condition: (request: PublishRequest) => boolean): PublishRequest | undefined {
    const at = this.#items.findIndex(condition);
    return at === -1 ? undefined : this.#items.splice(at, 1)[0];
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
