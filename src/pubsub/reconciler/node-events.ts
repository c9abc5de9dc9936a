import { CommandRefusedError, type ClusterPubSubError } from '../common/errors.js';
import type { GapReason } from '../common/events.js';
import type { Metrics } from '../common/metrics.js';
import type { NodeKey } from '../common/node-address.js';
import type { DisconnectReason } from '../connection/resp-socket.js';
import type { RedisReplyError } from '../resp/reply.js';
import type { InterruptionCause } from '../subscription/subscription-state.js';
import type { Subscription } from '../subscription/subscription.js';
import type { Topology } from '../topology/topology.js';
import type { GapTracker } from './gap-tracker.js';
import type { NodeErrorThrottle } from './node-error-throttle.js';
import type { CarriedScope, NodeSubscribers } from './node-subscribers.js';
import type { Refusals } from './refusals.js';
import {
  SubscriptionMigrations,
  type MigrationSink,
  type SubscriptionMigrationsListener,
} from './subscription-migrations.js';

export interface NodeEventsDeps {
  readonly topology: Topology;
  readonly metrics: Metrics;
  readonly gaps: GapTracker;
  readonly nodeErrors: NodeErrorThrottle;
  readonly refusals: Refusals;
  readonly listener: { error(error: ClusterPubSubError): void };
  /** Whether publishers number their messages, as far as we can expect. */
  readonly numbered: boolean;
  targetOf(subscription: Subscription): NodeKey | undefined;
  reconcile(subscription: Subscription): void;
  /** Some subscription is to be active again. */
  readonly isInterrupted: () => boolean;
  /** A chosen node is not a node of the cluster now. */
  isMissing(node: NodeKey): boolean;
  /** See {@link CarriedScope.isAwaited}. */
  readonly isAwaited: CarriedScope['isAwaited'];
}

const GAP_REASONS: Readonly<Record<DisconnectReason, GapReason>> = {
  lost: 'connection-lost',
  closed: 'connection-lost',
  unresponsive: 'connection-silent',
  'invalid-reply': 'connection-lost',
  'slow-consumer': 'slow-consumer',
};

/** Turns what happens at the nodes into facts of the subscriptions, and has these reconciled. */
export class NodeEvents implements CarriedScope, SubscriptionMigrationsListener {
  readonly migrations: SubscriptionMigrations;
  readonly isAwaited: CarriedScope['isAwaited'];

  constructor(
    private readonly deps: NodeEventsDeps,
    subscribers: NodeSubscribers,
    sink: MigrationSink,
  ) {
    this.migrations = new SubscriptionMigrations(subscribers, sink, this);
    this.isAwaited = deps.isAwaited;
  }

  confirmed(node: NodeKey, subscription: Subscription): void {
    const { state } = subscription;
    if (node !== state.assigned) {
      return; // removed, or assigned elsewhere, while its confirmation was on the way; it is being dropped there
    }
    if (this.deps.isMissing(node)) {
      return; // it was chosen, and is not a node of the cluster now: nothing comes this way until it is again
    }
    const other = [...state.activeNodes].find((one) => one !== node);
    state.confirm(node);
    if (other !== undefined) {
      this.migrations.start(subscription, other, node);
    }
    this.deps.nodeErrors.reached(node);
    const { name, cause } = state;
    this.deps.gaps.recovered(subscription);
    if (name === 'grace' && cause !== undefined) {
      this.#missedIfDemoted(subscription, cause);
    }
    state.resolveWaiters();
  }

  refused(node: NodeKey, subscription: Subscription, error: RedisReplyError): void {
    this.deps.refusals.handle(node, subscription, error);
  }

  unsubscribeRefused(node: NodeKey, [first]: readonly Subscription[], error: RedisReplyError): void {
    const command = first?.kind.unsubscribe ?? 'UNSUBSCRIBE';
    this.deps.listener.error(new CommandRefusedError(command, node, error.message, { cause: error }));
  }

  /** Redis has ended it here, because its slot has left: the node itself is the first to know where it went. */
  revoked(node: NodeKey, subscription: Subscription, silence: number): void {
    const { state } = subscription;
    const cause: InterruptionCause = { since: new Date(Date.now() - silence), node, reason: 'slot-moved' };
    state.leave(node);
    if (state.migration?.from === node) {
      state.migration.complete();
    }
    if (state.ended) {
      return;
    }
    if (state.activeNodes.size > 0) {
      this.#missedIfDemoted(subscription, cause); // the new master has it, but perhaps only since then
      return;
    }
    subscription.state.migration?.end();
    this.deps.gaps.startGracePeriod(subscription, cause);
    this.deps.topology.pollWhile(this.deps.isInterrupted);
    if (this.deps.targetOf(subscription) === node) {
      void state
        .queryOwner(this.deps.topology.refreshFrom(node))
        .then(() => this.deps.reconcile(subscription));
    } else {
      this.deps.reconcile(subscription);
    }
  }

  lost(node: NodeKey, subscriptions: readonly Subscription[], how: DisconnectReason, silence: number): void {
    this.deps.metrics.connectionsLost += 1;
    // Not from when we noticed: what was published after the node last sent something is lost as well.
    const cause = { since: new Date(Date.now() - silence), node, reason: GAP_REASONS[how] };
    const inactive: Subscription[] = [];
    for (const subscription of subscriptions) {
      const { state } = subscription;
      const { migration } = state;
      state.leave(node);
      if (migration?.from === node) {
        migration.end();
        if (state.activeNodes.size > 0) {
          this.deps.gaps.missed(subscription, cause); // what the old node had still to send
        }
      } else if (migration?.to === node) {
        migration.abandon();
      }
      if (state.activeNodes.size === 0) {
        inactive.push(subscription);
      } else if (!state.ended && how === 'unresponsive' && state.migration === undefined) {
        this.deps.gaps.missed(subscription, cause);
      }
    }
    this.lose(inactive, cause);
    this.deps.topology.refreshSoon();
    this.deps.topology.pollWhile(this.deps.isInterrupted);
    for (const subscription of subscriptions) {
      this.deps.reconcile(subscription);
    }
  }

  unreachable(node: NodeKey, error: unknown): void {
    this.deps.topology.refreshSoon();
    this.deps.nodeErrors.unreachable(node, error);
  }

  missed(subscription: Subscription, cause: InterruptionCause): void {
    this.deps.gaps.missed(subscription, cause);
  }

  interrupted(subscription: Subscription, cause: InterruptionCause): void {
    this.lose([subscription], cause);
    this.deps.reconcile(subscription);
  }

  returned(subscription: Subscription): void {
    this.deps.reconcile(subscription);
  }

  /** No node carries them any more. */
  lose(subscriptions: readonly Subscription[], cause: InterruptionCause): void {
    for (const subscription of subscriptions) {
      subscription.state.migration?.end();
    }
    this.deps.gaps.markLost(subscriptions, cause);
    this.deps.topology.pollWhile(this.deps.isInterrupted);
  }

  /**
   * When a slot is migrated, its old owner refuses what comes late, and publishers wait. A master that loses its last slot,
   * by a failover or a migration, becomes a replica of the new owner: it takes what it has kept back meanwhile and what
   * still comes, counts nobody, and passes it on to its successor, where we may not have been yet. Our publishers send
   * that again if it is numbered; others do not.
   */
  #missedIfDemoted(subscription: Subscription, cause: InterruptionCause): void {
    const { unnumbered, sequencer } = subscription;
    if (!unnumbered && (sequencer !== undefined || this.deps.numbered)) {
      return;
    }
    const { topology, gaps } = this.deps;
    const until = Date.now();
    const decide = (): void => {
      // That it has no slots is what counts: views leave out a demoted node for as long as it loads its new master's data.
      if (!subscription.state.ended && !topology.slotMap.masters.some((master) => master === cause.node)) {
        gaps.missed(subscription, cause, until);
      }
    };
    if (topology.masters.some((master) => master === cause.node)) {
      topology.refresh().then(decide, decide); // a `MOVED` has changed one slot of the view, and the others may follow
    } else {
      decide();
    }
  }
}
