import { backoffDelay } from '../../util/backoff.js';
import { ShardedUnsupportedError, SubscriptionError, type ClusterPubSubError } from '../common/errors.js';
import type { NodeKey } from '../common/node-address.js';
import { isTransient, type RedisReplyError } from '../resp/reply.js';
import type { Subscription } from '../subscription/subscription.js';
import type { Topology } from '../topology/topology.js';
import type { NodeErrorThrottle } from './node-error-throttle.js';

/** Pace of the retries, in ms. */
interface RetryPace {
  readonly baseMs: number;
  readonly capMs: number;
}

/** The node, or the cluster, needs a moment. */
const TRANSIENT_PACE: RetryPace = { baseMs: 25, capMs: 1_000 };

/** An operator has to do something about it. */
const PERMANENT_PACE: RetryPace = { baseMs: 1_000, capMs: 30_000 };

export interface RefusalsListener {
  retry(subscription: Subscription): void;
  /** Its subscribers still wait, and get the error. */
  giveUp(subscription: Subscription, error: ClusterPubSubError): void;
}

/** Decides what becomes of a subscription that Redis has refused. */
export class Refusals {
  constructor(
    private readonly topology: Topology,
    private readonly nodeErrors: NodeErrorThrottle,
    private readonly listener: RefusalsListener,
  ) {}

  handle(node: NodeKey, subscription: Subscription, error: RedisReplyError): void {
    const { state } = subscription;
    if (state.ended) {
      return;
    }
    if (error.kind === 'MOVED') {
      this.topology.applyMovedError(error, node);
      if (state.assigned !== node && state.assigned !== undefined) {
        return; // it is on its way to the new owner
      }
    }
    if (isTransient(error)) {
      this.topology.refreshSoon();
      this.#retry(subscription, TRANSIENT_PACE, error);
      return;
    }
    const refusal = /unknown command/i.test(error.message)
      ? new ShardedUnsupportedError({ cause: error })
      : new SubscriptionError(subscription.text, node, error.message, { cause: error });
    if (state.awaited) {
      this.listener.giveUp(subscription, refusal);
    } else {
      // It was active before, so it is still wanted: an operator may be changing the ACL under us.
      this.nodeErrors.refused(node, refusal);
      this.#retry(subscription, PERMANENT_PACE, error);
    }
  }

  #retry(subscription: Subscription, { baseMs, capMs }: RetryPace, refusal: RedisReplyError): void {
    const delay = backoffDelay(subscription.state.refusals, baseMs, capMs);
    subscription.state.retryIn(delay, () => this.listener.retry(subscription), refusal);
  }
}
