import { MAX_BUS_DELAY_MS, type Arrival } from '../ordering/migration-dedup.js';
import type { NodeKey } from '../common/node-address.js';
import type { Subscription } from '../subscription/subscription.js';

/** The number of remembered messages: 200 ms at 5,000 messages a second. */
const CAPACITY = 1_024;

/** Longer messages are not remembered, so that their memory can be freed. */
const MAX_MESSAGE_BYTES = 1_024;

/**
 * A ring buffer of the last messages of all subscriptions.
 *
 * A node that takes over a slot first syncs its `nodes.conf`, and messages wait for it on the cluster bus meanwhile
 * (measured: 40 ms). The first messages that it sends to a new subscriber may therefore be ones that the old node has
 * delivered before.
 */
export class RecentMessages {
  readonly #subscriptions = new Array<Subscription | undefined>(CAPACITY);
  readonly #arrivals = new Array<Arrival | undefined>(CAPACITY);
  readonly #times = new Float64Array(CAPACITY);
  #next = 0;

  add(subscription: Subscription, arrival: Arrival): void {
    if (arrival.data.length <= MAX_MESSAGE_BYTES) {
      this.#subscriptions[this.#next] = subscription;
      this.#arrivals[this.#next] = arrival;
      this.#times[this.#next] = Date.now();
      this.#next = (this.#next + 1) % CAPACITY;
    }
  }

  /** The messages of one subscription that a node has sent within {@link MAX_BUS_DELAY_MS}, oldest first. */
  of(subscription: Subscription, node: NodeKey): Arrival[] {
    const found: Arrival[] = [];
    const earliest = Date.now() - MAX_BUS_DELAY_MS;
    for (let step = 0; step < CAPACITY; step += 1) {
      const at = (this.#next + step) % CAPACITY;
      const arrival = this.#arrivals[at];
      if (
        this.#subscriptions[at] === subscription &&
        arrival?.node === node &&
        (this.#times[at] as number) >= earliest
      ) {
        found.push(arrival);
      }
    }
    return found;
  }
}
