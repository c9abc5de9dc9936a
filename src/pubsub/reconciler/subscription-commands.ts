import { SUBSCRIPTION_KINDS, type SubscriptionKind } from '../common/subscription-kind.js';
import type { NodeKey } from '../common/node-address.js';
import type { DisconnectReason } from '../connection/resp-socket.js';
import type { SubscriberConnection } from '../connection/subscriber-connection.js';
import { isTransient, RedisReplyError } from '../resp/reply.js';
import type { Subscription, SubscriptionScope } from '../subscription/subscription.js';
import { batchesOf, byScope, type NodeBookkeeping } from './node-bookkeeping.js';

export interface NodeSubscriberListener {
  /** The node has confirmed it. */
  confirmed(node: NodeKey, subscription: Subscription): void;
  /** The node has refused it; it is not retried unless it is added again. */
  refused(node: NodeKey, subscription: Subscription, error: RedisReplyError): void;
  /** The node keeps sending messages nobody wants, and counts us among the subscribers. */
  unsubscribeRefused(node: NodeKey, subscriptions: readonly Subscription[], error: RedisReplyError): void;
  /** The node has ended it; what it sent until `silence` ms ago has been received. */
  revoked(node: NodeKey, subscription: Subscription, silence: number): void;
  /** The connection ended, and with it these subscriptions; `silence` as for `revoked`. */
  lost(node: NodeKey, subscriptions: readonly Subscription[], how: DisconnectReason, silence: number): void;
  unreachable(node: NodeKey, error: unknown): void;
}

export interface ListenerRouter {
  listenerOf(scope: SubscriptionScope): NodeSubscriberListener | undefined;
}

/** Closes the difference between what a connection is to carry and what Redis has confirmed, with the fewest commands. */
export class SubscriptionCommands {
  constructor(
    private readonly node: NodeKey,
    private readonly books: NodeBookkeeping,
    private readonly router: ListenerRouter,
  ) {}

  /**
   * Subscribes before it unsubscribes, so that a moved subscription is never without a node. Resolves to false if the node
   * refuses for the moment to end subscriptions: they are to be dropped still, unless `isLastAttempt`.
   */
  async sync(connection: SubscriberConnection, isLastAttempt: boolean): Promise<boolean> {
    const adding = [...this.books.toAdd];
    this.books.toAdd.clear();
    await Promise.all(batchesOf(adding).map((batch) => this.#subscribe(connection, batch)));
    const dropped = await Promise.all(
      batchesOf(this.books.toDrop).map((batch) => this.#unsubscribe(connection, batch, isLastAttempt)),
    );
    return dropped.every(Boolean);
  }

  async #subscribe(connection: SubscriberConnection, batch: readonly Subscription[]): Promise<void> {
    const byKey = new Map(batch.map((subscription) => [subscription.key, subscription]));
    for (const subscription of batch) {
      this.books.adding.add(subscription);
    }
    try {
      await connection.subscribe(kindOf(batch), [...byKey.keys()], (key) => {
        const subscription = byKey.get(key) as Subscription;
        this.books.confirm(subscription);
        this.#listenerOf(subscription)?.confirmed(this.node, subscription);
      });
    } catch (error) {
      for (const subscription of batch) {
        this.books.adding.delete(subscription);
      }
      await this.#notSubscribed(connection, batch, error);
    }
  }

  async #notSubscribed(
    connection: SubscriberConnection,
    batch: readonly Subscription[],
    error: unknown,
  ): Promise<void> {
    if (!(error instanceof RedisReplyError)) {
      // The connection ended: whatever still belongs here is sent again on the next one.
      for (const subscription of batch) {
        if (subscription.state.assigned === this.node) {
          this.books.toAdd.add(subscription);
        }
      }
    } else if (batch.length > 1) {
      // One refused name fails the whole command, and Redis does not say which.
      await Promise.all(batch.map((one) => this.#subscribe(connection, [one])));
    } else {
      const [refused] = batch as readonly [Subscription];
      this.#listenerOf(refused)?.refused(this.node, refused, error);
    }
  }

  async #unsubscribe(
    connection: SubscriberConnection,
    batch: readonly Subscription[],
    isLastAttempt: boolean,
  ): Promise<boolean> {
    const active = batch.filter((one) => this.books.isConfirmed(one));
    for (const subscription of active) {
      this.books.leave(subscription);
    }
    try {
      if (active.length > 0) {
        await connection.unsubscribe(
          kindOf(active),
          active.map(({ key }) => key),
        );
      }
    } catch (error) {
      // After MOVED the slot has left, and the subscription with it, as after a lost connection.
      if (error instanceof RedisReplyError && error.kind !== 'MOVED') {
        if (isTransient(error) && !isLastAttempt) {
          for (const subscription of active) {
            this.books.left(subscription);
            this.books.confirm(subscription);
          }
          return false;
        }
        for (const [scope, own] of byScope(active)) {
          this.router.listenerOf(scope)?.unsubscribeRefused(this.node, own, error);
        }
      }
    }
    for (const subscription of active) {
      this.books.left(subscription);
    }
    for (const subscription of batch) {
      this.books.settleDrop(subscription);
    }
    return true;
  }

  #listenerOf({ scope }: Subscription): NodeSubscriberListener | undefined {
    return this.router.listenerOf(scope);
  }
}

function kindOf(batch: readonly Subscription[]): SubscriptionKind {
  return batch[0]?.kind ?? SUBSCRIPTION_KINDS.channel;
}
