import type { SubscriptionKindName } from '../common/messages.js';
import type { Gap, Interruption } from '../common/events.js';
import type { ChannelName } from '../common/channel-name.js';
import { GapBatcher } from '../common/gap-batcher.js';
import type { Subscription } from '../subscription/subscription.js';
import { SUBSCRIPTION_KINDS } from '../common/subscription-kind.js';

/** When, where and why a subscription stopped to stand. */
export type InterruptionCause = Pick<Gap, 'since' | 'node' | 'reason'>;

export interface GapTrackerListener {
  /** Subscriptions that stood and now stand nowhere. */
  interrupted(loss: Interruption): void;
  /** Subscriptions that stand again. */
  gap(gap: Gap): void;
  /** Something wanted stands nowhere, for the first time since all was `whole`. */
  broken(): void;
  /** Nothing is lost any more: all stands again, or what did not is no longer wanted. */
  whole(by: 'recovery' | 'unsubscribing'): void;
}

/**
 * The books of what stood and does not stand now, and of the holes that this leaves.
 *
 * A subscription whose slot has left its node is `following` for the settle window: publishers of this package keep
 * their messages back as long, so that one that stands again in time has missed nothing. After that, and at once when a
 * connection was lost, it is `lost`, and a gap follows when it stands again.
 */
export class GapTracker {
  readonly #lost = new Set<Subscription>();
  readonly #following = new Map<Subscription, NodeJS.Timeout>();
  readonly #gaps: GapBatcher;

  constructor(
    private readonly slotMigrationTimeout: number,
    private readonly events: GapTrackerListener,
  ) {
    this.#gaps = new GapBatcher(events, queueMicrotask);
  }

  /** Whether anything that stood is on its way to stand again. */
  get any(): boolean {
    return this.#lost.size > 0 || this.#following.size > 0;
  }

  /** Whether it is known not to stand. */
  has(subscription: Subscription): boolean {
    return this.#lost.has(subscription) || this.#following.has(subscription);
  }

  /** Its slot has left the node where it stood. */
  startGracePeriod(subscription: Subscription, cause: InterruptionCause): void {
    if (this.slotMigrationTimeout === 0) {
      this.markLost([subscription], cause);
      return;
    }
    subscription.gracePeriod = cause;
    subscription.missingSince = monotonic(cause.since);
    const timer = setTimeout(() => {
      this.#endFollowing(subscription);
      this.markLost([subscription], cause);
    }, this.slotMigrationTimeout);
    this.#following.set(subscription, timer);
  }

  /** They stand nowhere, for one and the same cause. */
  markLost(subscriptions: readonly Subscription[], cause: InterruptionCause): void {
    if (subscriptions.length > 0 && this.#lost.size === 0) {
      this.events.broken();
    }
    // A node that has left the cluster, and takes its connection with it later, loses nothing twice.
    const fresh = subscriptions.filter((subscription) => !this.#lost.has(subscription));
    for (const subscription of subscriptions) {
      const earlier = subscription.gracePeriod;
      this.#endFollowing(subscription);
      if (subscription.interruption === undefined && earlier === undefined) {
        subscription.missingSince = monotonic(cause.since);
      }
      subscription.interruption ??= earlier ?? cause;
      this.#lost.add(subscription);
    }
    for (const { kind, names } of namesByKind(fresh)) {
      this.events.interrupted({ kind, names, ...cause });
    }
  }

  /** It stands. What was lost together and comes back together is one gap. */
  recovered(subscription: Subscription): void {
    this.#endFollowing(subscription);
    const { interruption: lost } = subscription;
    if (lost !== undefined) {
      subscription.interruption = undefined;
      this.missed(subscription, lost);
    }
    this.#settle(subscription, 'recovery');
  }

  /** It stands, but may have missed something since the cause. */
  missed(subscription: Subscription, cause: InterruptionCause): void {
    subscription.sequencer?.resync();
    const { kind, name } = subscription;
    const interval = { ...cause, since: cause.since.getTime(), until: Date.now() };
    this.#gaps.add({ kind: kind.name, name, ...interval }, cause);
  }

  /** It is not wanted any more. */
  forget(subscription: Subscription): void {
    this.#endFollowing(subscription);
    this.#settle(subscription, 'unsubscribing');
  }

  #settle(subscription: Subscription, by: 'recovery' | 'unsubscribing'): void {
    if (this.#lost.delete(subscription) && this.#lost.size === 0) {
      this.events.whole(by);
    }
  }

  #endFollowing(subscription: Subscription): void {
    if (subscription.gracePeriod !== undefined) {
      subscription.gracePeriod = undefined;
      clearTimeout(this.#following.get(subscription));
      this.#following.delete(subscription);
    }
  }
}

/** What the monotonic clock showed then. To be asked at once, before anybody sets the other one. */
function monotonic(date: Date): number {
  return performance.now() - (Date.now() - date.getTime());
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
