import { awaitConfirmation } from '../subscription/await-confirmation.js';
import type { ConnectionFactory } from '../connection/connection-factory.js';
import { deferred } from '../../util/promises.js';
import {
  ClosedError,
  CommandRefusedError,
  ShardedUnsupportedError,
  SubscriptionError,
  UnknownNodeError,
  type ClusterPubSubError,
} from '../common/errors.js';
import { SubscriptionMigrations, type MigrationSink } from './subscription-migrations.js';
import { GapTracker, type InterruptionCause, type GapTrackerListener } from './gap-tracker.js';
import type { GapReason } from '../common/events.js';
import type { Metrics } from '../common/metrics.js';
import { PinnedNodeWatcher } from '../topology/pinned-node-watcher.js';
import type { NodeKey } from '../common/node-address.js';
import { NodeErrorThrottle } from './node-error-throttle.js';
import type { LivenessProbeDeps } from '../liveness/liveness-probe.js';
import type { DisconnectReason } from '../connection/resp-socket.js';
import { isTransient, type RedisReplyError } from '../resp/reply.js';
import { PERMANENT_BACKOFF, TRANSIENT_BACKOFF, RetryScheduler } from './retry-scheduler.js';
import { NodeSubscribers } from './node-subscribers.js';
import { AllMastersSubscriptions } from './all-masters-subscriptions.js';
import type { MessageSink, NodeSubscriber } from './node-subscriber.js';
import type { Subscription, SubscriptionRegistry } from '../subscription/subscription.js';
import type { Topology } from '../topology/topology.js';

/** What the reconciler tells the engine. */
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
 * Keeps what stands equal to what is wanted.
 *
 * Each subscription is assigned to the node where it belongs; that node's {@link NodeSubscriber} brings it about.
 * When a connection drops, a slot moves or a node revokes a subscription, it is assigned anew. A move is
 * make-before-break: the old node is left when the new one has confirmed. Nothing counts as standing that Redis has
 * not confirmed.
 */
export class Reconciler {
  readonly #sessions: NodeSubscribers;
  readonly #losses: GapTracker;
  readonly #handovers: SubscriptionMigrations;
  readonly #hasLosses = (): boolean => this.#losses.any;
  readonly #spreads: AllMastersSubscriptions;
  readonly #troubles: NodeErrorThrottle;
  readonly #missing: PinnedNodeWatcher;
  readonly #retries = new RetryScheduler((subscription) => {
    this.#assign(subscription);
  });
  #closed = false;

  constructor(
    private readonly table: SubscriptionRegistry,
    private readonly topology: Topology,
    factory: ConnectionFactory,
    private readonly limits: ReconcilerLimits,
    probes: LivenessProbeDeps,
    private readonly metrics: Metrics,
    sink: MessageSink & MigrationSink,
    private readonly events: ReconcilerListener,
  ) {
    this.#troubles = new NodeErrorThrottle(events);
    this.#losses = new GapTracker(limits.slotMigrationTimeout, events);
    this.#handovers = new SubscriptionMigrations(sink, {
      leave: (subscription, node) => this.#leave(subscription, node),
      isSilent: (node, ms) => this.#sessions.get(node)?.isSilent(ms) ?? true,
      broken: (subscription, node, since) => {
        this.#handovers.stop(subscription);
        this.#losses.missed(subscription, { since, node, reason: 'connection-silent' });
        this.#sessions.get(node)?.giveUpConnection('it did not confirm that a subscription had ended');
      },
    });
    this.#spreads = new AllMastersSubscriptions(topology, {
      want: (part, onConfirmed) => this.add(part, onConfirmed),
      takeOver: (part, cause, onConfirmed) => {
        this.#takeOver(part, cause, onConfirmed);
      },
      release: (part) => this.remove(part),
    });
    this.#missing = new PinnedNodeWatcher(topology, () => table.chosenNodes, {
      gone: (node, since) => {
        this.#gone(node, since);
      },
      back: (node) => {
        this.#at(node).forEach((subscription) => {
          this.#assign(subscription);
        });
      },
    });
    topology.onChange((moved) => {
      this.#spreads.follow(moved);
      this.#missing.check();
      this.#reassign();
    });
    this.#sessions = new NodeSubscribers(factory, limits.commandTimeout, probes, sink, {
      confirmed: (session, subscription) => {
        this.#confirmed(session, subscription);
      },
      refused: (session, subscription, error) => {
        this.#refused(session, subscription, error);
      },
      unsubscribeRefused: ({ node }, [first], error) => {
        const command = first?.kind.unsubscribe ?? 'UNSUBSCRIBE';
        this.events.error(new CommandRefusedError(command, node, error.message, { cause: error }));
      },
      revoked: (session, subscription, silence) => {
        this.#revoked(session.node, subscription, silence);
      },
      lost: (session, subscriptions, how, silence) => {
        this.#lost(session.node, subscriptions, how, silence);
      },
      handled: (ms) => {
        if (ms > metrics.maxDispatchTime) {
          metrics.maxDispatchTime = ms;
        }
      },
      unreachable: (session, error) => {
        topology.refreshSoon();
        this.#troubles.unreachable(session.node, error);
      },
      idle: (session) => {
        if (!this.#retries.anyAt(session.node)) {
          this.#sessions.endIfEmpty(session); // unless it is to be asked for something in a moment
        }
      },
    });
  }

  /**
   * Resolves when Redis has confirmed it; rejects when Redis refuses it, or has not confirmed it in time.
   *
   * `onConfirmed` is called before any message of the subscription is handed out, which a promise could not promise.
   */
  async add(subscription: Subscription, onConfirmed: () => void): Promise<void> {
    if (subscription.perNode !== undefined) {
      await this.#wantEverywhere(subscription, onConfirmed);
      return;
    }
    if (subscription.activeNodes.size > 0) {
      onConfirmed();
      return;
    }
    await awaitConfirmation(
      subscription,
      this.limits.connectTimeout,
      onConfirmed,
      () => {
        this.#assign(subscription);
      },
      (error) => {
        this.#giveUp(subscription, error);
      },
    );
  }

  /** Resolves when no node carries it any more. */
  async remove(subscription: Subscription): Promise<void> {
    if (subscription.perNode !== undefined) {
      await this.#spreads.release(subscription);
      return;
    }
    this.#forget(subscription);
    this.#fail(subscription, new ClosedError(`The subscription to "${subscription.text}"`));
    await this.#sessions.drop(subscription);
    this.#handovers.stop(subscription);
    subscription.activeNodes.clear();
    subscription.sequencer?.close();
  }

  /** The nodes that carry subscriptions, with the state of their connection. */
  get nodeSubscribers(): ReadonlyMap<NodeKey, NodeSubscriber> {
    return this.#sessions.byNode;
  }

  close(): void {
    this.#closed = true;
    this.#spreads.close();
    this.#missing.close();
    for (const subscription of this.table.all) {
      this.#forget(subscription);
      this.#handovers.stop(subscription);
      subscription.sequencer?.close();
      this.#fail(subscription, new ClosedError());
    }
    this.#sessions.close();
  }

  async #wantEverywhere(whole: Subscription, onConfirmed: () => void): Promise<void> {
    try {
      await this.#spreads.want(whole, onConfirmed);
    } catch (error) {
      if (!this.#spreads.has(whole)) {
        this.table.delete(whole);
      }
      throw error;
    }
  }

  /** It is tried until it stands, like one that stood before. */
  #takeOver(part: Subscription, cause: InterruptionCause, onConfirmed: () => void): void {
    part.interruption = cause;
    part.waiters.push({ ...deferred<undefined>(), resolve: onConfirmed, reject: () => undefined });
    this.#assign(part);
  }

  #homeOf(subscription: Subscription): NodeKey | undefined {
    return subscription.pinned ?? this.topology.targetOf(subscription.kind, subscription.slot);
  }

  /** Gives it to the node where it belongs by the present view; with no such node, the next view decides. */
  #assign(subscription: Subscription): void {
    if (this.#closed || !subscription.wanted) {
      return;
    }
    const node = this.#homeOf(subscription);
    subscription.assigned = node;
    if (node === undefined) {
      this.topology.refreshSoon();
      return;
    }
    this.#sessions.at(node).add(subscription);
  }

  /** After a change of the topology: what belongs elsewhere now is taken there; what stands stays until it stands there. */
  #reassign(): void {
    for (const subscription of this.table.all) {
      if (this.#homeOf(subscription) !== subscription.assigned) {
        const { assigned } = subscription;
        this.#prepareHandover(subscription);
        this.#assign(subscription);
        if (assigned !== undefined && !subscription.activeNodes.has(assigned)) {
          void this.#sessions.get(assigned)?.drop(subscription);
        }
      }
    }
  }

  #confirmed({ node }: NodeSubscriber, subscription: Subscription): void {
    const { assigned, activeNodes: standing } = subscription;
    if (!subscription.wanted || node !== assigned) {
      return; // released, or taken elsewhere, while its confirmation was on the way; the session drops it
    }
    if (this.#missing.has(node)) {
      return; // it was chosen, and is no node of the cluster now: nothing comes this way until it is again
    }
    subscription.refusals = 0;
    standing.add(node);
    const other = [...standing].find((one) => one !== node);
    if (other !== undefined) {
      this.#handOver(subscription, other, node);
    }
    this.#troubles.reached(node);
    const { gracePeriod: following } = subscription;
    this.#losses.recovered(subscription);
    if (following !== undefined && this.#mayHaveMissed(subscription, following.node)) {
      this.#losses.missed(subscription, following);
    }
    for (const waiter of subscription.waiters.splice(0)) {
      waiter.resolve(undefined);
    }
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

  /** From before the new node is asked: it may have had us for a while when we read that it has. */
  #prepareHandover(subscription: Subscription): void {
    const to = this.#homeOf(subscription);
    const [from] = subscription.activeNodes;
    if (from !== undefined && to !== undefined && !subscription.activeNodes.has(to)) {
      this.#handovers.prepare(subscription, from, to);
    }
  }

  #handOver(subscription: Subscription, from: NodeKey, to: NodeKey): void {
    const session = this.#sessions.get(from);
    if (session?.suspicious === true) {
      // It owes us a sign of life: all that stands there is lost, and has been since it was last heard.
      session.giveUpConnection('it was silent, and another node has taken its place');
    } else {
      this.#handovers.start(subscription, from, to);
    }
  }

  async #leave(subscription: Subscription, node: NodeKey): Promise<void> {
    if (subscription.assigned === node) {
      return; // it has come back meanwhile
    }
    const since = new Date();
    await this.#sessions.get(node)?.drop(subscription);
    if (subscription.assigned === node) {
      this.#assign(subscription);
      return;
    }
    subscription.activeNodes.delete(node);
    if (subscription.wanted && subscription.activeNodes.size === 0 && !this.#losses.has(subscription)) {
      // The node that it went to has gone in the same moment.
      this.#losses.markLost([subscription], { since, node, reason: 'connection-lost' });
      this.topology.pollWhile(this.#hasLosses);
      this.#assign(subscription);
    }
  }

  #refused({ node }: NodeSubscriber, subscription: Subscription, error: RedisReplyError): void {
    if (!subscription.wanted) {
      return;
    }
    if (error.kind === 'MOVED') {
      this.topology.applyMovedError(error, node);
      if (subscription.assigned !== node && subscription.assigned !== undefined) {
        return; // it is on its way to the new owner
      }
    }
    if (isTransient(error)) {
      this.topology.refreshSoon();
      this.#retries.schedule(subscription, TRANSIENT_BACKOFF);
      return;
    }
    const refusal = /unknown command/i.test(error.message)
      ? new ShardedUnsupportedError({ cause: error })
      : new SubscriptionError(subscription.text, node, error.message, { cause: error });
    if (subscription.waiters.length > 0 && subscription.interruption === undefined) {
      this.#giveUp(subscription, refusal);
    } else {
      // It stood before, so it is still wanted: an operator may be changing the ACL under us.
      this.#troubles.refused(node, refusal);
      this.#retries.schedule(subscription, PERMANENT_BACKOFF);
    }
  }

  /** Redis has ended it here, for its slot has gone: the node itself is the first to know where. */
  #revoked(node: NodeKey, subscription: Subscription, silence: number): void {
    const cause: InterruptionCause = { since: new Date(Date.now() - silence), node, reason: 'slot-moved' };
    subscription.activeNodes.delete(node);
    this.#handovers.complete(subscription, node);
    if (!subscription.wanted) {
      return;
    }
    if (subscription.activeNodes.size > 0) {
      if (this.#mayHaveMissed(subscription, node)) {
        this.#losses.missed(subscription, cause); // it stands at the new master, but perhaps only since then
      }
      return;
    }
    this.#losses.startGracePeriod(subscription, cause);
    this.topology.pollWhile(this.#hasLosses);
    const assign = (): void => {
      if (subscription.activeNodes.size === 0) {
        this.#assign(subscription);
      }
    };
    if (this.#homeOf(subscription) === node) {
      this.topology.refreshFrom(node).then(assign, assign);
    } else {
      assign();
    }
  }

  #lost(node: NodeKey, subscriptions: readonly Subscription[], how: DisconnectReason, silence: number): void {
    this.metrics.connectionsLost += 1;
    // Not from when we noticed: what was published before that, after its last word, is gone as well.
    const cause = { since: new Date(Date.now() - silence), node, reason: GAP_REASONS[how] };
    const lost: Subscription[] = [];
    for (const subscription of subscriptions) {
      subscription.activeNodes.delete(node);
      if (subscription.migration?.from === node) {
        this.#handovers.stop(subscription);
        if (subscription.activeNodes.size > 0) {
          this.#losses.missed(subscription, cause); // what the old one had still to say
        }
      } else if (subscription.migration?.to === node) {
        this.#handovers.abandon(subscription);
      }
      if (subscription.wanted && subscription.activeNodes.size === 0) {
        lost.push(subscription);
      } else if (subscription.wanted && how === 'unresponsive' && subscription.migration === undefined) {
        this.#losses.missed(subscription, cause);
      }
    }
    this.#losses.markLost(lost, cause);
    this.topology.refreshSoon();
    this.topology.pollWhile(this.#hasLosses);
    for (const subscription of subscriptions) {
      if (subscription.assigned === node || subscription.activeNodes.size === 0) {
        this.#assign(subscription);
      }
    }
  }

  /** A node that was chosen has left the cluster. What it carries is not to be trusted, though nobody has ended it. */
  #gone(node: NodeKey, since: Date): void {
    const standing = this.#at(node).filter((subscription) => subscription.activeNodes.delete(node));
    if (standing.length > 0) {
      this.#losses.markLost(standing, { since, node, reason: 'connection-lost' });
      this.topology.pollWhile(this.#hasLosses);
      const { masters, replicas } = this.topology;
      this.events.error(new UnknownNodeError(node, [...masters, ...replicas].join(', ')));
    }
  }

  /** What stands there whatever happens to the slots, or should. */
  #at(node: NodeKey): readonly Subscription[] {
    return this.table.all.filter(({ pinned }) => pinned === node);
  }

  /** Stops wanting it, and tells those who wait why. */
  #giveUp(subscription: Subscription, error: ClusterPubSubError): void {
    this.table.delete(subscription);
    this.#fail(subscription, error);
    void this.remove(subscription);
  }

  #fail(subscription: Subscription, error: ClusterPubSubError): void {
    for (const waiter of subscription.waiters.splice(0)) {
      waiter.reject(error);
    }
  }

  #forget(subscription: Subscription): void {
    subscription.wanted = false;
    this.#retries.cancel(subscription);
    this.#losses.forget(subscription);
  }
}

const GAP_REASONS: Readonly<Record<DisconnectReason, GapReason>> = {
  lost: 'connection-lost',
  closed: 'connection-lost',
  unresponsive: 'connection-silent',
  'slow-consumer': 'slow-consumer',
};
