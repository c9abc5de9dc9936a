import type { Arrival } from '../ordering/migration-dedup.js';
import type { NodeKey } from '../common/node-address.js';
import type { Subscription } from '../subscription/subscription.js';

/** How many arrivals are remembered: a fifth of a second of 5,000 messages a second. */
const SIZE = 1_024;

/** How long what was published before may still be on the cluster bus, in ms. */
const ON_THE_BUS = 250;

/** Longer messages are not kept from being freed for it, in bytes. */
const LONGEST = 1_024;

/**
 * The last messages that arrived, of all subscriptions.
 *
 * A node that takes over a slot writes that down before it goes on (it syncs its `nodes.conf`), so that messages wait for
 * it on the cluster bus for a while (measured: 40 ms). What it sends first, when it has us, may be what the old node had
 * delivered before we asked.
 */
export class RecentMessages {
  readonly #subscriptions = new Array<Subscription | undefined>(SIZE);
  readonly #arrivals = new Array<Arrival | undefined>(SIZE);
  readonly #times = new Float64Array(SIZE);
  #next = 0;

  note(subscription: Subscription, arrival: Arrival): void {
    if (arrival.data.length <= LONGEST) {
      this.#subscriptions[this.#next] = subscription;
      this.#arrivals[this.#next] = arrival;
      this.#times[this.#next] = Date.now();
      this.#next = (this.#next + 1) % SIZE;
    }
  }

  /** Those of one subscription that a node sent a moment ago, oldest first. */
  of(subscription: Subscription, node: NodeKey): Arrival[] {
    const found: Arrival[] = [];
    const earliest = Date.now() - ON_THE_BUS;
    for (let step = 0; step < SIZE; step += 1) {
      const at = (this.#next + step) % SIZE;
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
