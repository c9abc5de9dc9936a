import { createHash } from 'node:crypto';
import { type Transitions, transition } from '../../util/transitions.js';
import type { NodeKey } from '../common/node-address.js';

/** A message on its way to the reader. */
export interface Arrival {
  readonly channel: Buffer;
  readonly data: Buffer;
  readonly node: NodeKey;
}

/** Time for a message that the old node has delivered to arrive from the new one too, at a busy reader, in ms. */
const DRAIN_MS = 1_000;

/** Messages of the old node to remember at most, while the new one has not confirmed. */
const MAX_REMEMBERED = 10_000;

/** Messages above this size are compared by their digest. */
const HASH_ABOVE_BYTES = 1_024;

/**
 * - `pending`: the old node delivers; the new one has been asked and has not confirmed
 * - `overlapping`: the old node delivers; messages of the new one are kept
 * - `draining`: the new node delivers, except for messages that the old one has delivered
 * - `done`: the new node delivers, or the old one where the migration was abandoned
 */
type MigrationState = 'pending' | 'overlapping' | 'draining' | 'done';

export const MIGRATION_TRANSITIONS: Transitions<MigrationState> = {
  pending: ['overlapping', 'done'],
  overlapping: ['draining', 'done'],
  draining: ['done'],
  done: [],
};

/**
 * Delivers each message once while a subscription moves between two live nodes and is active on both.
 *
 * After a planned failover, and for classic channels after any move, the cluster bus brings each message to both nodes. The
 * old node delivers until Redis has confirmed that the subscription has ended there, so that its last message is known;
 * then follow the messages that only the new one has sent. Messages are compared by their bytes (ADR 10).
 */
export class MigrationDeduplicator {
  #state: MigrationState = 'pending';
  /** Counts messages that the old node delivered before the new one confirmed: it may have sent them too. */
  readonly #recent = new Map<string, number>();
  readonly #kept: Arrival[] = [];
  /** Messages that the old node delivered and the new one has not sent yet. */
  readonly #ahead = new MessageCounter();
  /** Messages that were delivered before this migration began, and may arrive once more from the old node. */
  readonly #earlier: MessageCounter;
  #timer: NodeJS.Timeout | undefined;

  constructor(
    readonly from: NodeKey,
    readonly to: NodeKey,
    private readonly deliver: (arrival: Arrival) => void,
    private readonly over: () => void,
    /** Recent messages of `from`, oldest first. */
    recent: readonly Arrival[] = [],
    /** The migration before this one, if it is not done. */
    previous?: MigrationDeduplicator,
  ) {
    for (const arrival of recent) {
      this.#remember(arrival);
    }
    this.#earlier = previous?.to === from ? previous.#ahead : new MessageCounter();
  }

  get state(): MigrationState {
    return this.#state;
  }

  /** Whether the old node delivers. */
  get deliversOld(): boolean {
    return this.#state === 'pending' || this.#state === 'overlapping';
  }

  /** The new node has confirmed. */
  confirmed(): void {
    if (this.#state !== 'pending') {
      return;
    }
    this.#become('overlapping');
    for (const [key, times] of this.#recent) {
      // Of equal messages it is unknown which of them the new node has sent.
      if (times === 1) {
        this.#ahead.add(key);
      }
    }
    this.#recent.clear();
  }

  /** Messages of a third node, which the subscription has left or is leaving, are dropped: the old node has delivered them. */
  receive(arrival: Arrival): void {
    if (arrival.node === this.to) {
      if (this.deliversOld) {
        this.#kept.push(arrival);
      } else if (this.#state === 'done' || !this.#isEcho(arrival)) {
        this.deliver(arrival);
      }
    } else if (arrival.node === this.from && this.deliversOld) {
      this.#remember(arrival);
      if (!this.#earlier.takeOne(keyOf(arrival))) {
        this.deliver(arrival);
      }
    }
  }

  #become(next: MigrationState): void {
    this.#state = transition('a migration', MIGRATION_TRANSITIONS, this.#state, next);
  }

  #remember(arrival: Arrival): void {
    const key = keyOf(arrival);
    if (this.#state === 'overlapping') {
      this.#ahead.add(key);
    } else if (this.#recent.size < MAX_REMEMBERED) {
      this.#recent.set(key, (this.#recent.get(key) ?? 0) + 1);
    }
  }

  #isEcho(arrival: Arrival): boolean {
    return this.#ahead.takeOne(keyOf(arrival));
  }

  /** Calls `act` after `ms`, unless the migration goes on or ends before. */
  after(ms: number, act: () => void): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(act, ms);
  }

  /** The old node sends nothing more: the new one delivers from now on. */
  complete(): void {
    if (this.#state === 'pending') {
      this.#finish(); // the slot left before the new node confirmed, so that it sends no duplicates
    }
    if (this.#state !== 'overlapping') {
      return;
    }
    this.#become('draining');
    clearTimeout(this.#timer);
    for (const arrival of this.#kept.splice(0)) {
      if (!this.#isEcho(arrival)) {
        this.deliver(arrival);
      }
    }
    if (this.#ahead.empty) {
      this.end();
    } else {
      this.after(DRAIN_MS, () => {
        this.end();
      });
    }
  }

  /** The new node is gone before it took over: the old one, which has delivered everything, continues. */
  abandon(): void {
    this.#kept.length = 0;
    this.#finish();
  }

  /** Releases the messages that are kept. */
  end(): void {
    this.complete();
    this.#finish();
  }

  #finish(): void {
    clearTimeout(this.#timer);
    if (this.#state !== 'done') {
      this.#become('done');
      this.over();
    }
  }
}

/** Counts messages, compared by their bytes. */
class MessageCounter {
  readonly #times = new Map<string, number>();

  get empty(): boolean {
    return this.#times.size === 0;
  }

  add(key: string): void {
    this.#times.set(key, (this.#times.get(key) ?? 0) + 1);
  }

  /** Whether the message was counted; decrements its count. */
  takeOne(key: string): boolean {
    const times = this.#times.get(key);
    if (times === undefined) {
      return false;
    }
    if (times === 1) {
      this.#times.delete(key);
    } else {
      this.#times.set(key, times - 1);
    }
    return true;
  }
}

function keyOf({ channel, data }: Arrival): string {
  const text =
    data.length > HASH_ABOVE_BYTES
      ? createHash('sha1').update(data).digest('base64')
      : data.toString('latin1');
  return `${channel.toString('latin1')}\0${text}`;
}
