import type { NodeKey } from '../common/node-address.js';
import { MAX_BUS_DELAY_MS, MigrationDeduplicator, type Arrival } from '../ordering/migration-dedup.js';
import type { InterruptionCause } from '../subscription/subscription-state.js';
import type { Subscription } from '../subscription/subscription.js';
import type { NodeSubscribers } from './node-subscribers.js';

/** The old node may be silent for this long before it confirms that the subscription has ended, in ms. */
const LAST_MESSAGE_TIMEOUT_MS = 250;

/** Where the messages of a migrating subscription go, without the copies. */
export interface MigrationSink {
  accept(subscription: Subscription, arrival: Arrival): void;
  /** The messages that the node has delivered of it lately, oldest first. */
  recent(subscription: Subscription, node: NodeKey): readonly Arrival[];
}

export interface SubscriptionMigrationsListener {
  /** It is active, but messages of the old node may be missing. */
  missed(subscription: Subscription, cause: InterruptionCause): void;
  /** It has left the old node while the new one failed. */
  interrupted(subscription: Subscription, cause: InterruptionCause): void;
  /** It belongs to the node again that it was leaving. */
  returned(subscription: Subscription): void;
}

/** Takes subscriptions from one live node to another without losing or doubling a message. */
export class SubscriptionMigrations {
  constructor(
    private readonly subscribers: NodeSubscribers,
    private readonly sink: MigrationSink,
    private readonly listener: SubscriptionMigrationsListener,
  ) {}

  /** Call it before the new node is asked: it may deliver for a while before we read that it has confirmed. */
  prepare(subscription: Subscription, to: NodeKey): void {
    const { activeNodes } = subscription.state;
    const [from] = activeNodes;
    if (from !== undefined && !activeNodes.has(to)) {
      this.#begin(subscription, from, to);
    }
  }

  /** The new node has confirmed, and the old one is still active. */
  start(subscription: Subscription, other: NodeKey, to: NodeKey): void {
    const { state } = subscription;
    const former = this.subscribers.get(other, subscription);
    if (former?.suspicious === true) {
      // It owes us a sign of life: what is active there is lost, and has been since it last sent something.
      former.giveUpConnection('it was silent, and another node has taken its place');
      return;
    }
    this.#begin(subscription, other, to);
    const { migration } = state;
    if (migration?.state !== 'pending') {
      return; // it is under way
    }
    migration.confirmed();
    const { from } = migration;
    const since = new Date();
    for (const third of state.activeNodes) {
      if (third !== from && third !== to) {
        void this.#leave(subscription, third);
      }
    }
    // Until then everything that was on the cluster bus when the new node confirmed has come to the old one.
    migration.after(MAX_BUS_DELAY_MS, () => {
      this.#awaitLastMessage(subscription, migration, since);
      void this.#leave(subscription, from).then(() => {
        if (state.migration?.from === from) {
          state.migration.complete();
        }
      });
    });
  }

  /** Replaces an earlier migration that is not over. While its old node is the one that delivers, it stays that. */
  #begin(subscription: Subscription, other: NodeKey, to: NodeKey): void {
    const { state } = subscription;
    const previous = state.migration;
    const delivers =
      previous !== undefined &&
      previous.deliversOld &&
      previous.from !== to &&
      state.activeNodes.has(previous.from);
    const from = delivers ? previous.from : other;
    if (previous?.from === from && previous.to === to) {
      return;
    }
    // First: what it delivers now may come once more from the new node, and has to be among the recent messages.
    if (delivers) {
      previous.abandon();
    } else {
      previous?.end();
    }
    if (state.ended) {
      return; // by a handler
    }
    const migration = new MigrationDeduplicator(
      from,
      to,
      (arrival) => this.sink.accept(subscription, arrival),
      () => state.endMigration(migration),
      this.sink.recent(subscription, from),
      previous,
    );
    state.startMigration(migration);
  }

  async #leave(subscription: Subscription, node: NodeKey): Promise<void> {
    const { state } = subscription;
    if (state.assigned === node) {
      return; // it has come back meanwhile
    }
    const since = new Date();
    await this.subscribers.get(node, subscription)?.drop(subscription);
    if (state.assigned === node) {
      this.listener.returned(subscription);
      return;
    }
    state.leave(node);
    if (state.activeNodes.size === 0 && !state.interrupted && !state.ended) {
      this.listener.interrupted(subscription, { since, node, reason: 'connection-lost' });
    }
  }

  #awaitLastMessage(subscription: Subscription, migration: MigrationDeduplicator, since: Date): void {
    const { from: node } = migration;
    migration.after(LAST_MESSAGE_TIMEOUT_MS, () => {
      // It may have come and not been read yet: timers run before sockets are read.
      setImmediate(() => {
        if (subscription.state.migration !== migration || migration.state !== 'overlapping') {
          return;
        }
        const subscriber = this.subscribers.get(node, subscription);
        if (subscriber?.isSilent(LAST_MESSAGE_TIMEOUT_MS) ?? true) {
          migration.end();
          this.listener.missed(subscription, { since, node, reason: 'connection-silent' });
          subscriber?.giveUpConnection('it did not confirm that a subscription had ended');
        } else {
          this.#awaitLastMessage(subscription, migration, since); // it is busy with other messages
        }
      });
    });
  }
}
