import { Handover, type Arrival } from './handover.js';
import type { NodeKey } from './node-address.js';
import type { Subscription } from './subscription.js';

/**
 * How long both nodes are heard, in ms: until then all that was on the cluster bus when the new one confirmed has come
 * (measured: under 1 ms on one machine).
 */
const BOTH_FOR = 50;

/** How long the old node may take to confirm that the subscription is gone, in ms. */
const LAST_WORD = 250;

export interface HandoversOwner {
  deliver(subscription: Subscription, arrival: Arrival): void;
  /** Ends the subscription at the node; resolves when Redis has confirmed that. */
  leave(subscription: Subscription, node: NodeKey): Promise<void>;
  /** The old node has not confirmed: what it had still to say is lost. */
  broken(subscription: Subscription, node: NodeKey, since: Date): void;
}

/** Takes subscriptions from one living node to another without losing or doubling a message. */
export class Handovers {
  readonly #timers = new Map<Subscription, NodeJS.Timeout>();

  constructor(private readonly owner: HandoversOwner) {}

  /** The new node has confirmed, and the old one still stands. */
  start(subscription: Subscription, from: NodeKey, to: NodeKey): void {
    this.stop(subscription);
    const since = new Date();
    const handover = new Handover(
      from,
      to,
      (arrival) => {
        this.owner.deliver(subscription, arrival);
      },
      () => {
        if (subscription.handover === handover) {
          subscription.handover = undefined;
        }
      },
    );
    subscription.handover = handover;
    this.#after(subscription, BOTH_FOR, () => {
      this.#after(subscription, LAST_WORD, () => {
        if (subscription.handover === handover) {
          this.owner.broken(subscription, from, since);
        }
      });
      void this.owner.leave(subscription, from).then(() => {
        this.complete(subscription, from);
      });
    });
  }

  /** The node sends nothing more of it, by its own word. */
  complete(subscription: Subscription, node: NodeKey): void {
    if (subscription.handover?.from === node) {
      this.#clear(subscription);
      subscription.handover.complete();
    }
  }

  /** Keeps nothing back any more: it is moved again, not wanted any more, or one of the nodes is gone. */
  stop(subscription: Subscription): void {
    this.#clear(subscription);
    subscription.handover?.end();
  }

  #after(subscription: Subscription, ms: number, act: () => void): void {
    this.#clear(subscription);
    this.#timers.set(subscription, setTimeout(act, ms));
  }

  #clear(subscription: Subscription): void {
    clearTimeout(this.#timers.get(subscription));
    this.#timers.delete(subscription);
  }
}
