import { awaitConfirmation } from '../subscription/await-confirmation.js';
import { PATTERN_SLOT } from '../common/subscription-kind.js';
import { ClosedError, UnknownNodeError, type ClusterPubSubError } from '../common/errors.js';
import type { MigrationSink } from './subscription-migrations.js';
import { GapTracker, type GapTrackerListener } from './gap-tracker.js';
import type { InterruptionCause } from '../subscription/subscription-state.js';
import { PinnedNodeWatcher } from '../topology/pinned-node-watcher.js';
import type { NodeKey } from '../common/node-address.js';
import { NodeEvents } from './node-events.js';
import { NodeErrorThrottle } from './node-error-throttle.js';
import { Refusals } from './refusals.js';
import { AllMastersSubscriptions } from './all-masters-subscriptions.js';
import { MAX_WATCHED_SLOTS } from '../liveness/slot-watch.js';
import type { NodeSubscribers } from './node-subscribers.js';
import type { Subscription, SubscriptionScope } from '../subscription/subscription.js';
import type { SubscriptionRegistry } from '../subscription/subscription-registry.js';
import type { Topology } from '../topology/topology.js';

export interface ReconcilerListener extends GapTrackerListener {
  error(error: ClusterPubSubError): void;
}

export interface ReconcilerLimits {
  readonly commandTimeout: number;
  readonly connectTimeout: number;
  readonly slotMigrationTimeout: number;
  /** Whether publishers number their messages, as far as we can expect. */
  readonly numbered: boolean;
}

/**
 * Makes the desired subscriptions of one scope actual, on connections that several scopes share.
 *
 * `#reconcile` compares the node a subscription belongs to with the nodes that carry it, and adds it to or drops it
 * from their {@link NodeSubscriber}s. Events (a confirmation, a lost connection, a moved slot) change facts of the
 * {@link SubscriptionState} and call it. After every refresh of the topology it runs over all subscriptions, so
 * whatever an event has missed is made good then. A move is make-before-break: the old node is left when the new one
 * has confirmed.
 */
export class Reconciler {
  readonly #events: NodeEvents;
  readonly #gaps: GapTracker;
  readonly #allMasters: AllMastersSubscriptions;
  readonly #pinnedNodes: PinnedNodeWatcher;
  /** Time of the last pass over all subscriptions: until then each node carried what it had confirmed. */
  #reconciledAt = new Date();
  /** At the last query of the topology, each subscription was active on its node. */
  #settled = true;
  readonly #stop = new AbortController();

  constructor(
    private readonly registry: SubscriptionRegistry,
    private readonly topology: Topology,
    private readonly subscribers: NodeSubscribers,
    private readonly limits: ReconcilerLimits,
    private readonly scope: SubscriptionScope & MigrationSink,
    private readonly listener: ReconcilerListener,
  ) {
    const reconcile = (subscription: Subscription): void => this.#reconcile(subscription);
    this.#gaps = new GapTracker(limits.slotMigrationTimeout, listener);
    this.#allMasters = new AllMastersSubscriptions(registry, topology, {
      add: (perNode, onConfirmed) => this.add(perNode, onConfirmed),
      replace: (former, perNode, cause) => {
        this.#gaps.replace(former, perNode, cause);
        this.#reconcile(perNode);
      },
      remove: (perNode) => this.remove(perNode),
    });
    this.#pinnedNodes = new PinnedNodeWatcher(topology, () => registry.chosenNodes, {
      gone: (node, since) => this.#pinnedNodeGone(node, since),
    });
    const nodeErrors = new NodeErrorThrottle(listener);
    const refusals = new Refusals(topology, nodeErrors, {
      retry: reconcile,
      giveUp: (subscription, error) => this.#giveUp(subscription, error),
    });
    this.#events = new NodeEvents(
      {
        topology,
        metrics: scope.metrics,
        gaps: this.#gaps,
        nodeErrors,
        refusals,
        listener,
        numbered: limits.numbered,
        targetOf: (subscription) => this.#targetOf(subscription),
        reconcile,
        isInterrupted: () => registry.some(({ state }) => state.interrupted),
        isMissing: (node) => this.#pinnedNodes.has(node),
        isAwaited: (node, layer) =>
          registry.some((one) => one.state.paused && one.state.assigned === node && one.layer === layer),
      },
      subscribers,
      scope,
    );
    subscribers.join(scope, this.#events);
    const { signal } = this.#stop;
    topology.onChange(() => {
      this.#pinnedNodes.check();
      this.#reconcileAll();
    }, signal);
    topology.onRefresh(() => {
      this.#allMasters.follow();
      this.#settled = subscribers.activeCount(scope) === registry.size;
      topology.watchWhile(this.#needsWatch);
      if (this.#settled) {
        this.#reconciledAt = new Date();
      } else {
        this.#reconcileAll();
      }
    }, signal);
  }

  /**
   * Resolves when Redis has confirmed it; rejects when Redis refuses it, or has not confirmed it in time.
   *
   * `onConfirmed` is called before any message of the subscription is delivered; a promise would settle too late.
   */
  async add(subscription: Subscription, onConfirmed: () => void): Promise<void> {
    this.topology.noteUse();
    this.topology.watchWhile(this.#needsWatch);
    if (subscription.perNode !== undefined) {
      await this.#allMasters.add(subscription, onConfirmed);
      return;
    }
    if (subscription.state.activeNodes.size > 0) {
      onConfirmed();
      return;
    }
    await awaitConfirmation(
      subscription,
      this.limits.connectTimeout,
      onConfirmed,
      () => {
        this.#reconcile(subscription);
        if (subscription.state.assigned === undefined) {
          this.topology.refreshSoon();
        }
      },
      () => this.failureOf(subscription),
      (error) => this.#giveUp(subscription, error),
    );
  }

  /** Why the subscription is not confirmed, as far as is known: Redis's own words, or why its node is out of reach. */
  failureOf({ state }: Subscription): unknown {
    const { assigned, refusal } = state;
    const inTheWay =
      assigned === undefined ? this.topology.lastQuery.failure : this.subscribers.failureOf(assigned);
    return refusal ?? inTheWay;
  }

  /** Resolves when no node carries it. */
  async remove(subscription: Subscription): Promise<void> {
    this.topology.watchWhile(this.#needsWatch);
    if (subscription.perNode !== undefined) {
      await this.#allMasters.remove(subscription);
      return;
    }
    this.#gaps.end(subscription);
    subscription.state.rejectWaiters(new ClosedError(`The subscription to "${subscription.text}"`));
    await this.subscribers.drop(subscription);
    subscription.state.migration?.end();
    subscription.state.leaveAll();
    subscription.sequencer?.close();
  }

  /** @param drop false if the connections close anyway; otherwise it resolves when no node carries its subscriptions. */
  async close(drop = true): Promise<void> {
    this.#stop.abort();
    this.subscribers.leave(this.scope);
    this.#allMasters.close();
    this.#pinnedNodes.close();
    const subscriptions = this.registry.all;
    for (const subscription of subscriptions) {
      this.#gaps.end(subscription);
      subscription.state.migration?.end();
      subscription.sequencer?.close();
      subscription.state.rejectWaiters(new ClosedError());
    }
    if (drop) {
      await Promise.all(subscriptions.map((subscription) => this.subscribers.drop(subscription)));
    }
  }

  /** Some subscription is not where it belongs, or would get no sign when that changes. */
  readonly #needsWatch = (): boolean => {
    if (this.#stop.signal.aborted) {
      return false;
    }
    return (
      !this.#settled || this.registry.elsewhere > 0 || !this.#channelsWatched() || !this.#patternsWatched()
    );
  };

  /** Classic channels get the sign of a shard channel in their slot. */
  #channelsWatched(): boolean {
    const { unaccompanied } = this.registry;
    if (unaccompanied === 0 || unaccompanied > MAX_WATCHED_SLOTS) {
      return unaccompanied === 0;
    }
    const unwatched = this.registry.unaccompaniedChannels.filter((channel) => {
      const { assigned } = channel.state;
      return (
        assigned === undefined || this.subscribers.get(assigned, channel)?.watchesSlotOf(channel) !== true
      );
    });
    return unwatched.length === 0;
  }

  /** Patterns get the sign of the probe channel. */
  #patternsWatched(): boolean {
    const owner = this.topology.ownerOf(PATTERN_SLOT);
    return (
      this.registry.patterns === 0 ||
      (owner !== undefined &&
        this.subscribers.of(owner).some(({ probe }) => probe?.watchedSlot === PATTERN_SLOT))
    );
  }

  #reconcileAll(): void {
    for (const subscription of this.registry.all) {
      const { state } = subscription;
      const target = this.#targetOf(subscription);
      const isCarried =
        target !== undefined &&
        state.activeNodes.has(target) &&
        this.subscribers.get(target, subscription)?.has(subscription) === true;
      if (target !== state.assigned || !(state.paused || isCarried)) {
        this.#reconcile(subscription);
      }
    }
    this.#reconciledAt = new Date();
  }

  /**
   * Adds the subscription to the node it belongs to, unless that carries it; without such a node the next view decides.
   * A node that it does not belong to is left here if it has not confirmed, and else when the new node has.
   */
  #reconcile(subscription: Subscription): void {
    const { state } = subscription;
    if (this.#stop.signal.aborted || state.ended) {
      return;
    }
    const target = this.#targetOf(subscription);
    const { assigned } = state;
    const moves = target !== assigned;
    if (moves && target === undefined) {
      this.topology.refreshSoon();
    } else if (moves && target !== undefined) {
      this.#events.migrations.prepare(subscription, target);
    }
    state.assign(target);
    if (moves && assigned !== undefined && !state.activeNodes.has(assigned)) {
      void this.subscribers.get(assigned, subscription)?.drop(subscription);
    }
    if (target !== undefined) {
      const subscriber = this.subscribers.at(target, subscription);
      if (state.activeNodes.has(target) && !subscriber.knows(subscription)) {
        this.#forgotten(subscription, target);
        this.#reconcile(subscription); // again: a listener of the interruption may have closed the engine
        return;
      }
      if (moves || !state.activeNodes.has(target) || !subscriber.has(subscription)) {
        subscriber.add(subscription);
      }
    }
  }

  #targetOf(subscription: Subscription): NodeKey | undefined {
    return subscription.pinned ?? this.topology.targetOf(subscription.kind, subscription.slot);
  }

  /** The node does not carry what it has confirmed, and no event has said so. */
  #forgotten(subscription: Subscription, node: NodeKey): void {
    const cause: InterruptionCause = { since: this.#reconciledAt, node, reason: 'connection-lost' };
    subscription.state.leave(node);
    if (subscription.state.activeNodes.size > 0) {
      this.#gaps.missed(subscription, cause);
    } else {
      this.#events.lose([subscription], cause);
    }
  }

  /** A chosen node has left the cluster. What it carries is not to be trusted, though nobody has ended it. */
  #pinnedNodeGone(node: NodeKey, since: Date): void {
    const inactive = this.registry.all.filter(({ pinned, state }) => pinned === node && state.leave(node));
    if (inactive.length > 0) {
      this.#events.lose(inactive, { since, node, reason: 'connection-lost' });
      const { masters, replicas } = this.topology;
      this.listener.error(new UnknownNodeError(node, [...masters, ...replicas].join(', ')));
    }
  }

  /** Removes it, and rejects its waiting subscribers with the error. */
  #giveUp(subscription: Subscription, error: ClusterPubSubError): void {
    this.registry.delete(subscription);
    subscription.state.rejectWaiters(error);
    void this.remove(subscription);
  }
}
