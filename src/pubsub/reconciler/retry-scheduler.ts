import { backoffDelay } from '../../util/backoff.js';
import type { NodeKey } from '../common/node-address.js';
import type { Subscription } from '../subscription/subscription.js';

/** How long to wait before what was refused is tried again, in ms. */
export interface BackoffPace {
  readonly base: number;
  readonly cap: number;
}

/** The node, or the cluster, needs a moment. */
export const TRANSIENT_BACKOFF: BackoffPace = { base: 25, cap: 1_000 };

/** An operator has to do something about it. */
export const PERMANENT_BACKOFF: BackoffPace = { base: 1_000, cap: 30_000 };

/** The subscriptions that Redis has refused, and that wait to be tried again. */
export class RetryScheduler {
  readonly #timers = new Map<Subscription, NodeJS.Timeout>();

  constructor(private readonly retry: (subscription: Subscription) => void) {}

  schedule(subscription: Subscription, { base, cap }: BackoffPace): void {
    this.cancel(subscription);
    const timer = setTimeout(
      () => {
        this.#timers.delete(subscription);
        this.retry(subscription);
      },
      backoffDelay(subscription.refusals, base, cap),
    );
    this.#timers.set(subscription, timer);
    subscription.refusals += 1;
  }

  cancel(subscription: Subscription): void {
    clearTimeout(this.#timers.get(subscription));
    this.#timers.delete(subscription);
  }

  /** Whether the node is to be asked for something in a moment. */
  anyAt(node: NodeKey): boolean {
    return [...this.#timers.keys()].some(({ assigned }) => assigned === node);
  }
}
