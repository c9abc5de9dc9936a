import { backoffDelay } from './backoff.js';
import { displayName, type ChannelKey } from './channel-key.js';
import type { ConnectionFactory } from './connection-factory.js';
import { deferred } from './deferred.js';
import {
  ClosedError,
  ClusterUnreachableError,
  CommandRefusedError,
  ShardedUnsupportedError,
  SubscriptionError,
  type ClusterPubSubError,
} from './errors.js';
import type { Gap, GapReason, Loss, SubscriptionKindName } from './message.js';
import type { NodeKey } from './node-address.js';
import type { ChannelName } from './options.js';
import type { RedisReplyError } from './resp/reply.js';
import { SubscriberSession, type SessionEvents } from './subscriber-session.js';
import type { Subscription, SubscriptionTable } from './subscription.js';
import { KINDS, type SubscriptionKind } from './subscription-kind.js';
import type { Topology } from './topology.js';

/** What the reconciler tells the engine. */
export interface ReconcilerEvents {
  message(subscription: Subscription, channel: Buffer, data: Buffer, node: NodeKey): void;
  /** Subscriptions that stood and now stand nowhere. */
  lost(loss: Loss): void;
  /** Subscriptions that stand again. */
  gap(gap: Gap): void;
  error(error: ClusterPubSubError): void;
  /** Whether everything wanted stands, told when that changes. */
  settled(whole: boolean): void;
}

/** Answers to SSUBSCRIBE that pass: the node, or the cluster, needs a moment. */
const PASSING = new Set(['CLUSTERDOWN', 'TRYAGAIN', 'LOADING', 'MASTERDOWN', 'MOVED', 'ASK']);

/**
 * Keeps what stands equal to what is wanted.
 *
 * Each subscription is assigned to the node where it belongs; that node's {@link SubscriberSession} brings it about.
 * When a connection drops, a slot moves or a node revokes a subscription, it is assigned anew. A move is
 * make-before-break: the old node is left when the new one has confirmed. Nothing counts as standing that Redis has
 * not confirmed.
 */
export class Reconciler {
  readonly #sessions = new Map<NodeKey, SubscriberSession>();
  readonly #unsettled = new Set<Subscription>();
  readonly #recovered = new Map<NonNullable<Subscription['lost']>, Subscription[]>();
  readonly #silentNodes = new Set<NodeKey>();
  readonly #retries = new Map<Subscription, NodeJS.Timeout>();
  readonly #sessionEvents: SessionEvents;
  #closed = false;

  constructor(
    private readonly table: SubscriptionTable,
    private readonly topology: Topology,
    private readonly factory: ConnectionFactory,
    private readonly limits: { readonly commandTimeout: number; readonly connectTimeout: number },
    private readonly events: ReconcilerEvents,
  ) {
    topology.onChange(() => {
      this.#reassign();
    });
    this.#sessionEvents = {
      message: (node, kind, match, channel, data) => {
        this.#message(node, kind, match, channel, data);
      },
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
      revoked: (session, subscription) => {
        this.#noLongerStanding(session.node, [subscription], 'slot-moved');
      },
      lost: (session, subscriptions) => {
        this.#noLongerStanding(session.node, subscriptions, 'connection-lost');
      },
      unreachable: (session, error) => {
        this.#unreachable(session, error);
      },
      idle: (session) => {
        // A node that carries nothing, and is to be asked for nothing in a moment, needs no connection.
        if (session.empty && !this.#retriesAt(session.node) && this.#sessions.get(session.node) === session) {
          this.#sessions.delete(session.node);
          session.close();
        }
      },
    };
  }

  /**
   * Resolves when Redis has confirmed it; rejects when Redis refuses it, or has not confirmed it in time.
   *
   * `onConfirmed` is called before any message of the subscription is handed out, which a promise could not promise.
   */
  async want(subscription: Subscription, onConfirmed: () => void): Promise<void> {
    if (subscription.standing.size > 0) {
      onConfirmed();
      return;
    }
    const confirmation = deferred<undefined>();
    subscription.waiters.push({
      ...confirmation,
      resolve: (value) => {
        onConfirmed();
        confirmation.resolve(value);
      },
    });
    const { connectTimeout } = this.limits;
    const deadline = setTimeout(() => {
      const error = new ClusterUnreachableError(
        `"${displayName(subscription.name)}" was not confirmed within ${String(connectTimeout)} ms` +
          (subscription.assigned === undefined ? '.' : `; ${subscription.assigned} does not answer.`),
      );
      if (subscription.lost === undefined) {
        this.#giveUp(subscription, error);
      } else {
        confirmation.reject(error); // it stood before, and its earlier subscriber still wants it
      }
    }, connectTimeout);
    this.#assign(subscription);
    try {
      await confirmation.promise;
    } finally {
      clearTimeout(deadline);
    }
  }

  /** Resolves when no node carries it any more. */
  async release(subscription: Subscription): Promise<void> {
    this.#forget(subscription);
    this.#fail(subscription, new ClosedError(`The subscription to "${displayName(subscription.name)}"`));
    await Promise.all([...this.#sessions.values()].map((session) => session.drop(subscription)));
    subscription.standing.clear();
  }

  /** The nodes that carry subscriptions, with the state of their connection. */
  get sessions(): ReadonlyMap<NodeKey, SubscriberSession> {
    return this.#sessions;
  }

  close(): void {
    this.#closed = true;
    for (const subscription of this.table.all) {
      this.#forget(subscription);
      this.#fail(subscription, new ClosedError());
    }
    for (const session of this.#sessions.values()) {
      session.close();
    }
    this.#sessions.clear();
  }

  /** Gives it to the node where it belongs by the present view; with no such node, the next view decides. */
  #assign(subscription: Subscription): void {
    if (this.#closed || !subscription.wanted) {
      return;
    }
    const node = this.topology.homeOf(subscription.kind, subscription.slot);
    subscription.assigned = node;
    if (node === undefined) {
      this.topology.refreshSoon();
      return;
    }
    let session = this.#sessions.get(node);
    if (session === undefined) {
      session = new SubscriberSession(node, this.factory, this.limits.commandTimeout, this.#sessionEvents);
      this.#sessions.set(node, session);
    }
    session.add(subscription);
  }

  /** After a change of the topology: what belongs elsewhere now is taken there; what stands stays until it stands there. */
  #reassign(): void {
    for (const subscription of this.table.all) {
      if (this.topology.homeOf(subscription.kind, subscription.slot) !== subscription.assigned) {
        const { assigned } = subscription;
        this.#assign(subscription);
        if (assigned !== undefined && !subscription.standing.has(assigned)) {
          void this.#sessions.get(assigned)?.drop(subscription);
        }
      }
    }
  }

  #message(node: NodeKey, kind: SubscriptionKind, match: ChannelKey, channel: Buffer, data: Buffer): void {
    const subscription = this.table.get(kind.name, match);
    if (subscription !== undefined) {
      this.events.message(subscription, channel, data, node);
    }
  }

  #confirmed({ node }: SubscriberSession, subscription: Subscription): void {
    const { assigned } = subscription;
    if (!subscription.wanted || node !== assigned) {
      return; // released, or taken elsewhere, while its confirmation was on the way; the session drops it
    }
    subscription.refusals = 0;
    subscription.standing.add(node);
    for (const other of subscription.standing) {
      if (other !== node) {
        subscription.standing.delete(other);
        void this.#sessions.get(other)?.drop(subscription);
      }
    }
    this.#silentNodes.delete(node);
    this.#recover(subscription);
    for (const waiter of subscription.waiters.splice(0)) {
      waiter.resolve(undefined);
    }
    this.#settle(subscription);
  }

  #refused({ node }: SubscriberSession, subscription: Subscription, error: RedisReplyError): void {
    if (!subscription.wanted) {
      return;
    }
    if (error.kind === 'MOVED') {
      this.topology.noteMoved(error, node);
    }
    if (PASSING.has(error.kind)) {
      this.topology.refreshSoon();
      this.#retry(subscription, subscription.refusals);
      subscription.refusals += 1;
      return;
    }
    const refusal = /unknown command/i.test(error.message)
      ? new ShardedUnsupportedError({ cause: error })
      : new SubscriptionError(displayName(subscription.name), node, error.message, { cause: error });
    if (subscription.waiters.length > 0 && subscription.lost === undefined) {
      this.#giveUp(subscription, refusal);
    } else {
      // It stood before, so it is still wanted: an operator may be changing the ACL under us.
      this.events.error(refusal);
      this.#retry(subscription, 6);
    }
  }

  #noLongerStanding(node: NodeKey, subscriptions: readonly Subscription[], reason: GapReason): void {
    const loss = { since: new Date(), node, reason };
    const lost: Subscription[] = [];
    for (const subscription of subscriptions) {
      subscription.standing.delete(node);
      if (subscription.wanted && subscription.standing.size === 0) {
        subscription.lost ??= loss;
        lost.push(subscription);
        this.#unsettle(subscription);
      }
    }
    for (const { kind, names } of namesByKind(lost)) {
      this.events.lost({ kind, names, ...loss });
    }
    this.topology.refreshSoon();
    for (const subscription of lost) {
      this.#assign(subscription);
    }
  }

  /** Reports what was lost together and came back together as one gap. */
  #recover(subscription: Subscription): void {
    const { lost } = subscription;
    if (lost === undefined) {
      return;
    }
    subscription.lost = undefined;
    if (this.#recovered.size === 0) {
      queueMicrotask(() => {
        this.#reportGaps();
      });
    }
    const together = this.#recovered.get(lost);
    if (together === undefined) {
      this.#recovered.set(lost, [subscription]);
    } else {
      together.push(subscription);
    }
  }

  #reportGaps(): void {
    const until = new Date();
    const recovered = [...this.#recovered];
    this.#recovered.clear();
    for (const [lost, subscriptions] of recovered) {
      for (const { kind, names } of namesByKind(subscriptions)) {
        this.events.gap({ kind, names, ...lost, until });
      }
    }
  }

  #unreachable(session: SubscriberSession, cause: unknown): void {
    this.topology.refreshSoon();
    if (this.#silentNodes.has(session.node)) {
      return; // told once an outage
    }
    this.#silentNodes.add(session.node);
    const message = cause instanceof Error ? cause.message : String(cause);
    this.events.error(
      new ClusterUnreachableError(`Subscriptions at ${session.node} wait for it to come back: ${message}`, {
        cause,
      }),
    );
  }

  #retry(subscription: Subscription, attempt: number): void {
    clearTimeout(this.#retries.get(subscription));
    const timer = setTimeout(() => {
      this.#retries.delete(subscription);
      this.#assign(subscription);
    }, backoffDelay(attempt));
    this.#retries.set(subscription, timer);
  }

  #retriesAt(node: NodeKey): boolean {
    return [...this.#retries.keys()].some(({ assigned }) => assigned === node);
  }

  /** Stops wanting it, and tells those who wait why. */
  #giveUp(subscription: Subscription, error: ClusterPubSubError): void {
    this.table.delete(subscription);
    this.#fail(subscription, error);
    void this.release(subscription);
  }

  #fail(subscription: Subscription, error: ClusterPubSubError): void {
    for (const waiter of subscription.waiters.splice(0)) {
      waiter.reject(error);
    }
  }

  #forget(subscription: Subscription): void {
    subscription.wanted = false;
    clearTimeout(this.#retries.get(subscription));
    this.#retries.delete(subscription);
    this.#settle(subscription);
  }

  #unsettle(subscription: Subscription): void {
    if (this.#unsettled.size === 0) {
      this.events.settled(false);
    }
    this.#unsettled.add(subscription);
  }

  #settle(subscription: Subscription): void {
    if (this.#unsettled.delete(subscription) && this.#unsettled.size === 0 && !this.#closed) {
      this.events.settled(true);
    }
  }
}

function namesByKind(
  subscriptions: readonly Subscription[],
): readonly { readonly kind: SubscriptionKindName; readonly names: readonly ChannelName[] }[] {
  return Object.values(KINDS)
    .map(({ name: kind }) => ({
      kind,
      names: subscriptions.filter((subscription) => subscription.kind.name === kind).map(({ name }) => name),
    }))
    .filter(({ names }) => names.length > 0);
}
