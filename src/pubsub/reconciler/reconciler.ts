import { awaitConfirmation } from '../subscription/await-confirmation.js';
import type { ConnectionFactory } from '../connection/connection-factory.js';
import { PATTERN_SLOT } from '../common/subscription-kind.js';
import { ClosedError, UnknownNodeError, type ClusterPubSubError } from '../common/errors.js';
import type { MigrationSink } from './subscription-migrations.js';
import { GapTracker, type GapTrackerListener } from './gap-tracker.js';
import type { InterruptionCause } from '../subscription/subscription-state.js';
import type { Metrics } from '../common/metrics.js';
import { PinnedNodeWatcher } from '../topology/pinned-node-watcher.js';
import type { NodeKey } from '../common/node-address.js';
import { NodeEvents } from './node-events.js';
import { NodeErrorThrottle } from './node-error-throttle.js';
import type { LivenessProbeDeps } from '../liveness/liveness-probe.js';
import { Refusals } from './refusals.js';
import { AllMastersSubscriptions } from './all-masters-subscriptions.js';
import type { MessageSink, NodeSubscriber } from './node-subscriber.js';
import type { Subscription } from '../subscription/subscription.js';
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
 * Makes the desired subscriptions actual.
 *
 * `#reconcile` compares the node a subscription belongs to with the nodes that carry it, and adds it to or drops it
 * from their {@link NodeSubscriber}s. Events (a confirmation, a lost connection, a moved slot) change facts of the
 * {@link SubscriptionState} and call it. After every refresh of the topology it runs over all subscriptions, so
 * whatever an event has missed is made good then. A move is make-before-break: the old node is left when the new one
 * has confirmed.
 */
export class Reconciler {
  readonly #nodes: NodeEvents;
  readonly #gaps: GapTracker;
  readonly #allMasters: AllMastersSubscriptions;
  readonly #pinnedNodes: PinnedNodeWatcher;
  /** Time of the last pass over all subscriptions: until then each node carried what it had confirmed. */
  #reconciledAt = new Date();
  /** At the last query of the topology, each subscription was active on its node. */
  #settled = true;
  #closed = false;

  constructor(
    private readonly registry: SubscriptionRegistry,
    private readonly topology: Topology,
    factory: ConnectionFactory,
    private readonly limits: ReconcilerLimits,
    probes: LivenessProbeDeps,
    metrics: Metrics,
    sink: MessageSink & MigrationSink,
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
    this.#nodes = new NodeEvents(
      {
        topology,
        metrics,
        gaps: this.#gaps,
        nodeErrors,
        refusals,
        listener,
        numbered: limits.numbered,
        targetOf: (subscription) => this.#targetOf(subscription),
        reconcile,
        isInterrupted: () => registry.all.some(({ state }) => state.interrupted),
        isMissing: (node) => this.#pinnedNodes.has(node),
        isAwaited: (node) => registry.all.some(({ state }) => state.paused && state.assigned === node),
      },
      factory,
      limits.commandTimeout,
      probes,
      sink,
    );
    topology.onChange(() => {
      this.#pinnedNodes.check();
      this.#reconcileAll();
    });
    topology.onRefresh(() => {
      this.#allMasters.follow();
      this.#settled = this.#isSettled;
      topology.watchWhile(this.#needsWatch);
      if (this.#settled) {
        this.#reconciledAt = new Date();
      } else {
        this.#reconcileAll();
      }
    });
  }

  /** The nodes that carry subscriptions, with the state of their connection. */
  get nodeSubscribers(): ReadonlyMap<NodeKey, NodeSubscriber> {
    return this.#nodes.subscribers.byNode;
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
      (error) => this.#giveUp(subscription, error),
    );
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
    await this.#nodes.subscribers.drop(subscription);
    subscription.state.migration?.end();
    subscription.state.leaveAll();
    subscription.sequencer?.close();
  }

  close(): void {
    this.#closed = true;
    this.#allMasters.close();
    this.#pinnedNodes.close();
    for (const subscription of this.registry.all) {
      this.#gaps.end(subscription);
      subscription.state.migration?.end();
      subscription.sequencer?.close();
      subscription.state.rejectWaiters(new ClosedError());
    }
    this.#nodes.subscribers.close();
  }

  /**
   * Whether each subscription is active on its node, by the state of the subscription and the bookkeeping of the node.
   * Counted, because it is checked after every refresh: with 10,000 subscriptions a look-up for each costs three times as
   * much as all else that an idle engine does.
   */
  get #isSettled(): boolean {
    let active = 0;
    for (const { activeCount } of this.nodeSubscribers.values()) {
      active += activeCount;
    }
    return active === this.registry.size;
  }

  /**
   * Some subscription is not where it belongs, or would get no sign when that changes. Patterns get the one of the probe
   * channel.
   */
  readonly #needsWatch = (): boolean => {
    if (!this.#settled || this.registry.unsignalled > 0) {
      return true;
    }
    const owner = this.topology.ownerOf(PATTERN_SLOT);
    const watchedSlot = owner === undefined ? undefined : this.nodeSubscribers.get(owner)?.probe?.watchedSlot;
    return this.registry.patterns > 0 && watchedSlot !== PATTERN_SLOT;
  };

  #reconcileAll(): void {
    for (const subscription of this.registry.all) {
      const { state } = subscription;
      const target = this.#targetOf(subscription);
      const isCarried =
        target !== undefined &&
        state.activeNodes.has(target) &&
        this.#nodes.subscribers.get(target)?.has(subscription) === true;
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
    if (this.#closed || state.ended) {
      return;
    }
    const target = this.#targetOf(subscription);
    const { assigned } = state;
    const moves = target !== assigned;
    if (moves && target === undefined) {
      this.topology.refreshSoon();
    } else if (moves && target !== undefined) {
      this.#nodes.migrations.prepare(subscription, target);
    }
    state.assign(target);
    if (target !== undefined) {
      const subscriber = this.#nodes.subscribers.at(target);
      if (state.activeNodes.has(target) && !subscriber.knows(subscription)) {
        this.#forgotten(subscription, target);
      }
      if (moves || !state.activeNodes.has(target) || !subscriber.has(subscription)) {
        subscriber.add(subscription);
      }
    }
    if (moves && assigned !== undefined && !state.activeNodes.has(assigned)) {
      void this.#nodes.subscribers.get(assigned)?.drop(subscription);
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
      this.#nodes.lose([subscription], cause);
    }
  }

  /** A chosen node has left the cluster. What it carries is not to be trusted, though nobody has ended it. */
  #pinnedNodeGone(node: NodeKey, since: Date): void {
    const inactive = this.registry.all.filter(({ pinned, state }) => pinned === node && state.leave(node));
    if (inactive.length > 0) {
      this.#nodes.lose(inactive, { since, node, reason: 'connection-lost' });
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
