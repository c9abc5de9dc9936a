import { awaitConfirmation } from '../subscription/await-confirmation.js';
import type { ConnectionFactory } from '../connection/connection-factory.js';
import {
  ClosedError,
  CommandRefusedError,
  UnknownNodeError,
  type ClusterPubSubError,
} from '../common/errors.js';
import { SubscriptionMigrations, type MigrationSink } from './subscription-migrations.js';
import { GapTracker, type GapTrackerListener } from './gap-tracker.js';
import type { InterruptionCause } from '../subscription/subscription-state.js';
import type { GapReason } from '../common/events.js';
import type { Metrics } from '../common/metrics.js';
import { PinnedNodeWatcher } from '../topology/pinned-node-watcher.js';
import type { NodeKey } from '../common/node-address.js';
import { NodeErrorThrottle } from './node-error-throttle.js';
import { OutagePoller } from '../topology/outage-poller.js';
import type { LivenessProbeDeps } from '../liveness/liveness-probe.js';
import type { DisconnectReason } from '../connection/resp-socket.js';
import { Refusals } from './refusals.js';
import { NodeSubscribers } from './node-subscribers.js';
import { AllMastersSubscriptions } from './all-masters-subscriptions.js';
import type { MessageSink, NodeSubscriber } from './node-subscriber.js';
import type { Subscription } from '../subscription/subscription.js';
import type { SubscriptionRegistry } from '../subscription/subscription-registry.js';
import type { Topology } from '../topology/topology.js';

/** Receives what the reconciler reports. */
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
 * `#reconcile` compares the node a subscription belongs to with the nodes that carry it, and adds it to or drops it from
 * their {@link NodeSubscriber}s. Events (a confirmation, a lost connection, a moved slot) change facts of the
 * {@link SubscriptionState} and call it. After every refresh of the topology it runs over all subscriptions, so whatever
 * an event has missed is made good then. A move is make-before-break: the old node is left when the new one has confirmed.
 */
export class Reconciler {
  readonly #subscribers: NodeSubscribers;
  readonly #gaps: GapTracker;
  readonly #migrations: SubscriptionMigrations;
  readonly #outagePoller: OutagePoller;
  readonly #allMasters: AllMastersSubscriptions;
  readonly #nodeErrors: NodeErrorThrottle;
  readonly #pinnedNodes: PinnedNodeWatcher;
  /** When all subscriptions were last reconciled: until then the books were right. */
  #reconciledAt = new Date();
  #closed = false;

  constructor(
    private readonly registry: SubscriptionRegistry,
    private readonly topology: Topology,
    factory: ConnectionFactory,
    private readonly limits: ReconcilerLimits,
    probes: LivenessProbeDeps,
    private readonly metrics: Metrics,
    sink: MessageSink & MigrationSink,
    private readonly listener: ReconcilerListener,
  ) {
    this.#nodeErrors = new NodeErrorThrottle(listener);
    const refusals = new Refusals(topology, this.#nodeErrors, {
      retry: (subscription) => {
        this.#reconcile(subscription);
      },
      giveUp: (subscription, error) => {
        this.#giveUp(subscription, error);
      },
    });
    this.#gaps = new GapTracker(limits.slotMigrationTimeout, listener);
    this.#outagePoller = new OutagePoller(
      () => registry.all.some(({ state }) => state.interrupted),
      () => {
        topology.refreshSoon();
      },
    );
    this.#allMasters = new AllMastersSubscriptions(registry, topology, {
      add: (perNode, onConfirmed) => this.add(perNode, onConfirmed),
      replace: (former, perNode, cause) => {
        this.#gaps.replace(former, perNode, cause);
        this.#reconcile(perNode);
      },
      remove: (perNode) => this.remove(perNode),
    });
    this.#pinnedNodes = new PinnedNodeWatcher(topology, () => registry.chosenNodes, {
      gone: (node, since) => {
        this.#gone(node, since);
      },
    });
    topology.onChange(() => {
      this.#pinnedNodes.look();
      this.#reconcileAll();
    });
    topology.onRefresh(() => {
      this.#allMasters.follow();
      this.#reconcileAll();
    });
    this.#subscribers = new NodeSubscribers(factory, limits.commandTimeout, probes, sink, {
      confirmed: ({ node }, subscription) => {
        this.#confirmed(node, subscription);
      },
      refused: ({ node }, subscription, error) => {
        refusals.handle(node, subscription, error);
      },
      unsubscribeRefused: ({ node }, [first], error) => {
        const command = first?.kind.unsubscribe ?? 'UNSUBSCRIBE';
        listener.error(new CommandRefusedError(command, node, error.message, { cause: error }));
      },
      revoked: ({ node }, subscription, silence) => {
        this.#revoked(node, subscription, silence);
      },
      lost: ({ node }, subscriptions, how, silence) => {
        this.#lost(node, subscriptions, how, silence);
      },
      handled: (ms) => {
        metrics.maxDispatchTime = Math.max(metrics.maxDispatchTime, ms);
      },
      unreachable: ({ node }, error) => {
        topology.refreshSoon();
        this.#nodeErrors.unreachable(node, error);
      },
      idle: (subscriber) => {
        // One that waits for a retry will ask for the connection in a moment.
        if (!registry.all.some(({ state }) => state.retrying && state.assigned === subscriber.node)) {
          this.#subscribers.endIfEmpty(subscriber);
        }
      },
    });
    this.#migrations = new SubscriptionMigrations(this.#subscribers, sink, {
      missed: (subscription, cause) => {
        this.#gaps.missed(subscription, cause);
      },
      interrupted: (subscription, cause) => {
        this.#interrupted([subscription], cause);
        this.#reconcile(subscription);
      },
      returned: (subscription) => {
        this.#reconcile(subscription);
      },
    });
  }

  /** The nodes that carry subscriptions, with the state of their connection. */
  get nodeSubscribers(): ReadonlyMap<NodeKey, NodeSubscriber> {
    return this.#subscribers.byNode;
  }

  /**
   * Resolves when Redis has confirmed it; rejects when Redis refuses it, or has not confirmed it in time.
   *
   * `onConfirmed` is called before any message of the subscription is handed out, which a promise could not guarantee.
   */
  async add(subscription: Subscription, onConfirmed: () => void): Promise<void> {
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
      (error) => {
        this.#giveUp(subscription, error);
      },
    );
  }

  /** Resolves when no node carries it any more. */
  async remove(subscription: Subscription): Promise<void> {
    if (subscription.perNode !== undefined) {
      await this.#allMasters.remove(subscription);
      return;
    }
    this.#gaps.end(subscription);
    subscription.state.rejectWaiters(new ClosedError(`The subscription to "${subscription.text}"`));
    await this.#subscribers.drop(subscription);
    subscription.state.migration?.end();
    subscription.state.leaveAll();
    subscription.sequencer?.close();
  }

  close(): void {
    this.#closed = true;
    this.#outagePoller.close();
    this.#allMasters.close();
    this.#pinnedNodes.close();
    for (const subscription of this.registry.all) {
      this.#gaps.end(subscription);
      subscription.state.migration?.end();
      subscription.sequencer?.close();
      subscription.state.rejectWaiters(new ClosedError());
    }
    this.#subscribers.close();
  }

  #reconcileAll(): void {
    for (const subscription of this.registry.all) {
      const { state } = subscription;
      if (!state.retrying || this.#targetOf(subscription) !== state.assigned) {
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
      this.#migrations.prepare(subscription, target);
    }
    state.assign(target);
    if (target !== undefined) {
      const subscriber = this.#subscribers.at(target);
      if (state.activeNodes.has(target) && !subscriber.knows(subscription)) {
        this.#forgotten(subscription, target);
      }
      if (moves || !state.activeNodes.has(target) || !subscriber.has(subscription)) {
        subscriber.add(subscription);
      }
    }
    if (moves && assigned !== undefined && !state.activeNodes.has(assigned)) {
      void this.#subscribers.get(assigned)?.drop(subscription);
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
      this.#interrupted([subscription], cause);
    }
  }

  #confirmed(node: NodeKey, subscription: Subscription): void {
    const { state } = subscription;
    if (node !== state.assigned) {
      return; // removed, or assigned elsewhere, while its confirmation was on the way; it is being dropped there
    }
    if (this.#pinnedNodes.has(node)) {
      return; // it was chosen, and is not a node of the cluster now: nothing comes this way until it is again
    }
    const other = [...state.activeNodes].find((one) => one !== node);
    state.confirm(node);
    if (other !== undefined) {
      this.#migrations.start(subscription, other, node);
    }
    this.#nodeErrors.reached(node);
    const { name, cause } = state;
    this.#gaps.recovered(subscription);
    if (name === 'grace' && cause !== undefined && this.#mayHaveMissed(subscription, cause.node)) {
      this.#gaps.missed(subscription, cause);
    }
    state.resolveWaiters();
  }

  /**
   * When a slot is migrated, its old owner refuses what comes late, and publishers wait. When a master is demoted, it
   * takes what it has kept back during the failover (Redis pauses publishers for it), counts nobody, and passes it on to
   * its successor, where we are not yet. Our publishers send that again; others do not.
   */
  #mayHaveMissed({ unnumbered, sequencer }: Subscription, node: string | undefined): boolean {
    const demoted = this.topology.replicas.some((replica) => replica === node);
    return demoted && (unnumbered || (sequencer === undefined && !this.limits.numbered));
  }

  /** Redis has ended it here, because its slot has left: the node itself is the first to know where it went. */
  #revoked(node: NodeKey, subscription: Subscription, silence: number): void {
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
      if (this.#mayHaveMissed(subscription, node)) {
        this.#gaps.missed(subscription, cause); // the new master has it, but perhaps only since then
      }
      return;
    }
    subscription.state.migration?.end();
    this.#gaps.startGracePeriod(subscription, cause);
    this.#outagePoller.start();
    const reconcile = (): void => {
      this.#reconcile(subscription);
    };
    if (this.#targetOf(subscription) === node) {
      this.topology.refreshFrom(node).then(reconcile, reconcile);
    } else {
      reconcile();
    }
  }

  #lost(node: NodeKey, subscriptions: readonly Subscription[], how: DisconnectReason, silence: number): void {
    this.metrics.connectionsLost += 1;
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
          this.#gaps.missed(subscription, cause); // what the old node had still to send
        }
      } else if (migration?.to === node) {
        migration.abandon();
      }
      if (state.activeNodes.size === 0) {
        inactive.push(subscription);
      } else if (!state.ended && how === 'unresponsive' && state.migration === undefined) {
        this.#gaps.missed(subscription, cause);
      }
    }
    this.#interrupted(inactive, cause);
    this.topology.refreshSoon();
    this.#outagePoller.start();
    for (const subscription of subscriptions) {
      this.#reconcile(subscription);
    }
  }

  /** A node that was chosen has left the cluster. What it carries is not to be trusted, though nobody has ended it. */
  #gone(node: NodeKey, since: Date): void {
    const inactive = this.registry.all.filter(({ pinned, state }) => pinned === node && state.leave(node));
    if (inactive.length > 0) {
      this.#interrupted(inactive, { since, node, reason: 'connection-lost' });
      const { masters, replicas } = this.topology;
      this.listener.error(new UnknownNodeError(node, [...masters, ...replicas].join(', ')));
    }
  }

  /** No node carries them any more. */
  #interrupted(subscriptions: readonly Subscription[], cause: InterruptionCause): void {
    for (const subscription of subscriptions) {
      subscription.state.migration?.end();
    }
    this.#gaps.markLost(subscriptions, cause);
    this.#outagePoller.start();
  }

  /** Stops wanting it, and tells those who wait why. */
  #giveUp(subscription: Subscription, error: ClusterPubSubError): void {
    this.registry.delete(subscription);
    subscription.state.rejectWaiters(error);
    void this.remove(subscription);
  }
}

const GAP_REASONS: Readonly<Record<DisconnectReason, GapReason>> = {
  lost: 'connection-lost',
  closed: 'connection-lost',
  unresponsive: 'connection-silent',
  'slow-consumer': 'slow-consumer',
};
