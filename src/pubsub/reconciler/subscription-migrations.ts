import { MigrationDeduplicator, type Arrival } from '../ordering/migration-dedup.js';
import type { NodeKey } from '../common/node-address.js';
import type { Subscription } from '../subscription/subscription.js';

/**
 * How long both nodes are heard, in ms: until then all that was on the cluster bus when the new one confirmed has come
 * (measured: under 1 ms on one machine).
 */
const BOTH_FOR = 50;

/** How long the old node may be silent before it confirms that the subscription is gone, in ms. */
const LAST_WORD = 250;

/** Where the messages of a migrating subscription go, without the copies. */
export interface MigrationSink {
  accept(subscription: Subscription, arrival: Arrival): void;
  /** What the node has delivered of it lately, oldest first. */
  recent(subscription: Subscription, node: NodeKey): readonly Arrival[];
}

export interface SubscriptionMigrationsListener {
  /** Ends the subscription at the node; resolves when Redis has confirmed that. */
  leave(subscription: Subscription, node: NodeKey): Promise<void>;
  /** Whether nothing has come from the node for `ms`. */
  isSilent(node: NodeKey, ms: number): boolean;
  /** The old node has not confirmed: what it had still to say is lost. */
  broken(subscription: Subscription, node: NodeKey, since: Date): void;
}

/** Takes subscriptions from one living node to another without losing or doubling a message. */
export class SubscriptionMigrations {
  readonly #timers = new Map<Subscription, NodeJS.Timeout>();

  constructor(
    private readonly sink: MigrationSink,
    private readonly owner: SubscriptionMigrationsListener,
  ) {}

  /**
   * The new node is being asked, and the old one stands. Where an earlier hand-over is not over, it is replaced: as long
   * as its old node was the one that was heard, that one is heard on.
   */
  prepare(subscription: Subscription, other: NodeKey, to: NodeKey): void {
    const previous = subscription.state.migration;
    const isHeard =
      previous !== undefined &&
      previous.hearsOld &&
      previous.from !== to &&
      subscription.state.activeNodes.has(previous.from);
    const from = isHeard ? previous.from : other;
    if (previous?.from === from && previous.to === to) {
      return;
    }
    const migration = new MigrationDeduplicator(
      from,
      to,
      (arrival) => {
        this.sink.accept(subscription, arrival);
      },
      () => {
        subscription.state.endMigration(migration);
      },
      this.sink.recent(subscription, from),
      previous,
    );
    this.#clear(subscription);
    subscription.state.startMigration(migration);
    if (isHeard) {
      previous.abandon();
    } else {
      previous?.end();
    }
  }

  /** The new node has confirmed, and the old one still stands. */
  start(subscription: Subscription, other: NodeKey, to: NodeKey): void {
    this.prepare(subscription, other, to);
    const { migration } = subscription.state;
    if (migration === undefined || migration.state !== 'coming') {
      return; // it is under way
    }
    migration.confirmed();
    const { from } = migration;
    const since = new Date();
    for (const third of subscription.state.activeNodes) {
      if (third !== from && third !== to) {
        void this.owner.leave(subscription, third);
      }
    }
    this.#after(subscription, BOTH_FOR, () => {
      this.#awaitLastWord(subscription, migration, since);
      void this.owner.leave(subscription, from).then(() => {
        this.complete(subscription, from);
      });
    });
  }

  /** The node sends nothing more of it, by its own word. */
  complete(subscription: Subscription, node: NodeKey): void {
    if (subscription.state.migration?.from === node) {
      this.#clear(subscription);
      subscription.state.migration.complete();
    }
  }

  /** The new node is gone before it took over. */
  abandon(subscription: Subscription): void {
    this.#clear(subscription);
    subscription.state.migration?.abandon();
  }

  /** Keeps nothing back any more: it is not wanted any more, or the old node is gone. */
  stop(subscription: Subscription): void {
    this.#clear(subscription);
    subscription.state.migration?.end();
  }

  #awaitLastWord(subscription: Subscription, migration: MigrationDeduplicator, since: Date): void {
    this.#after(subscription, LAST_WORD, () => {
      // It may have come and not been read yet: timers run before sockets are read.
      setImmediate(() => {
        if (subscription.state.migration !== migration || migration.state !== 'both') {
          return;
        }
        if (this.owner.isSilent(migration.from, LAST_WORD)) {
          this.owner.broken(subscription, migration.from, since);
        } else {
          this.#awaitLastWord(subscription, migration, since); // it is busy with others
        }
      });
    });
  }

  #after(subscription: Subscription, ms: number, act: () => void): void {
    this.#clear(subscription);
    this.#timers.set(subscription, setTimeout(act, ms));
  }

  #clear(subscription: Subscription): void {
    clearTimeout(this.#timers.get(subscription));
    this.#timers.delete(subscription);
  }
}
