import type { ChannelName } from '../common/channel-name.js';
import type { Gap, Interruption } from '../common/events.js';
import { GapBatcher } from '../common/gap-batcher.js';
import type { SubscriptionKindName } from '../common/messages.js';
import { SUBSCRIPTION_KINDS } from '../common/subscription-kind.js';
import type { InterruptionCause } from '../subscription/subscription-state.js';
import type { Subscription } from '../subscription/subscription.js';

export interface GapTrackerListener {
  /** Subscriptions that were active are not subscribed on any node now. */
  interrupted(interruption: Interruption): void;
  /** Subscriptions are active again. */
  gap(gap: Gap): void;
  /** The first subscription was lost since all of them were active. */
  broken(): void;
  /** None is lost any more: all are active again, or those that were not are no longer wanted. */
  whole(by: 'recovery' | 'unsubscribing'): void;
}

/**
 * Tracks interrupted subscriptions and the gaps they leave.
 *
 * Publishers of this package hold their messages back for the slot migration timeout, so a subscription that follows
 * its slot within that time (its grace period) has missed nothing. After it, and at once when a connection was lost, it
 * is lost, and a gap is reported when it is active again.
 */
export class GapTracker {
  #lost = 0;
  readonly #gaps: GapBatcher;

  constructor(
    private readonly slotMigrationTimeout: number,
    private readonly listener: GapTrackerListener,
  ) {
    this.#gaps = new GapBatcher(listener, queueMicrotask);
  }

  /** An active subscription has lost its slot, and with it its node. */
  startGracePeriod(subscription: Subscription, cause: InterruptionCause): void {
    if (this.slotMigrationTimeout === 0) {
      this.markLost([subscription], cause);
    } else if (subscription.state.name === 'active') {
      subscription.state.startGracePeriod(cause, this.slotMigrationTimeout, () =>
        this.markLost([subscription], cause),
      );
    }
  }

  /** Those of them that were active until now are lost, for one and the same cause. */
  markLost(subscriptions: readonly Subscription[], cause: InterruptionCause): void {
    // A node that has left the cluster, and takes its connection with it later, loses nothing twice.
    const lost = subscriptions.filter(({ state }) => state.name === 'active' || state.name === 'grace');
    this.#interrupt(lost, cause);
    for (const { kind, names } of namesByKind(lost)) {
      this.listener.interrupted({ kind, names, ...cause });
    }
  }

  /** A new subscription takes the place of `former` at another node, and has missed something since the cause. */
  replace(former: Subscription | undefined, subscription: Subscription, cause: InterruptionCause): void {
    if (former?.state.name === 'lost') {
      this.#interrupt([subscription], former.state.cause ?? cause);
    } else {
      subscription.state.replaceAnother(cause);
    }
  }

  /** A node has confirmed it. What was lost together and comes back together is one gap. */
  recovered(subscription: Subscription): void {
    const { state } = subscription;
    const { name, cause } = state;
    state.activate();
    if (cause !== undefined && name !== 'grace') {
      this.missed(subscription, cause);
    }
    if (name === 'lost') {
      this.#oneLess('recovery');
    }
  }

  /** It is active, but may have missed something since the cause. */
  missed(subscription: Subscription, cause: InterruptionCause, until = Date.now()): void {
    subscription.sequencer?.resync();
    const { kind, name } = subscription;
    const interval = { ...cause, since: cause.since.getTime(), until };
    this.#gaps.add({ kind: kind.name, name, ...interval }, cause);
  }

  /** It is not wanted any more. */
  end(subscription: Subscription): void {
    const { name } = subscription.state;
    subscription.state.end();
    if (name === 'lost') {
      this.#oneLess('unsubscribing');
    }
  }

  #interrupt(subscriptions: readonly Subscription[], cause: InterruptionCause): void {
    const wasWhole = this.#lost === 0;
    this.#lost += subscriptions.length;
    for (const { state } of subscriptions) {
      state.interrupt(cause);
    }
    if (wasWhole && this.#lost > 0) {
      this.listener.broken();
    }
  }

  #oneLess(by: 'recovery' | 'unsubscribing'): void {
    this.#lost -= 1;
    if (this.#lost === 0) {
      this.listener.whole(by);
    }
  }
}

function namesByKind(
  subscriptions: readonly Subscription[],
): readonly { readonly kind: SubscriptionKindName; readonly names: readonly ChannelName[] }[] {
  return Object.values(SUBSCRIPTION_KINDS)
    .map(({ name: kind }) => ({
      kind,
      names: subscriptions.filter((subscription) => subscription.kind.name === kind).map(({ name }) => name),
    }))
    .filter(({ names }) => names.length > 0);
}
