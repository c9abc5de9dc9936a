import { createHash } from 'node:crypto';
import type { NodeKey } from '../common/node-address.js';
import { transition, type Transitions } from '../../util/transitions.js';

/** A message on its way from a connection to its reader. */
export interface Arrival {
  readonly channel: Buffer;
  readonly data: Buffer;
  readonly node: NodeKey;
}

/**
 * The longest time that a message is expected to stay on the cluster bus, in ms: under 1 ms on an idle machine, more than
 * 40 while a node that takes over slots syncs its `nodes.conf`.
 */
export const MAX_BUS_DELAY_MS = 250;

/** For this long after the new node has taken over, it may still send messages that the old one has delivered. */
const DRAIN_TIMEOUT_MS = 1_000;

/** The most messages of the old node that are remembered before the new one has confirmed. */
const MAX_REMEMBERED_MESSAGES = 10_000;

/** A longer message is identified by its digest. */
const HASH_ABOVE_BYTES = 1_024;

/**
 * - `pending`: the new node was asked to subscribe; the old one delivers
 * - `overlapping`: the new node has confirmed; the old one delivers, messages of the new one are held back
 * - `draining`: the new node delivers, except for what the old one has delivered already
 * - `done`
 */
export type MigrationState = 'pending' | 'overlapping' | 'draining' | 'done';

/** docs/architecture.md shows the same table. */
export const MIGRATION_TRANSITIONS: Transitions<MigrationState> = {
  pending: ['overlapping', 'done'],
  overlapping: ['draining', 'done'],
  draining: ['done'],
  done: [],
};

/**
 * Removes duplicates while one subscription moves from one live node to another and is subscribed on both.
 *
 * After a planned failover, and always for classic channels, the cluster bus brings each message to both nodes. The old
 * node delivers until Redis has confirmed that the subscription has ended there, so that its last message is known; then
 * the messages follow that the new node has sent and the old one has not. Messages are compared by their bytes: nothing is
 * lost, and only messages with equal bytes could be miscounted, by as many as were on the bus at the start.
 */
export class MigrationDeduplicator {
  #state: MigrationState = 'pending';
  /**
   * Messages that the old node delivered before the confirmation of the new one was read, with their number: the new
   * node may have subscribed us before them.
   */
  readonly #recent = new Map<string, number>();
  /** Messages of the new node that are held back. */
  readonly #held: Arrival[] = [];
  /** Messages that the old node has delivered and the new one has not sent. */
  readonly #ahead = new MessageCounter();
  /** Messages delivered before this migration began that the old node may send once more. */
  readonly #earlier: MessageCounter;
  #timer: NodeJS.Timeout | undefined;

  constructor(
    readonly from: NodeKey,
    readonly to: NodeKey,
    private readonly deliver: (arrival: Arrival) => void,
    private readonly onDone: () => void,
    /** The messages that `from` has delivered recently, oldest first. */
    recent: readonly Arrival[] = [],
    /** The previous migration, if it is not done yet. */
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

  /** True while the messages of the old node are delivered. */
  get deliversOld(): boolean {
    return this.#state === 'pending' || this.#state === 'overlapping';
  }

  /** The new node has confirmed the subscription. */
  confirmed(): void {
    if (this.#state !== 'pending') {
      return;
    }
    this.#moveTo('overlapping');
    for (const [key, times] of this.#recent) {
      // Of equal messages it is unknown which ones the new node has sent.
      if (times === 1) {
        this.#ahead.add(key);
      }
    }
    this.#recent.clear();
  }

  /** Ignores a third node, which the subscription has left or is leaving: the old one has received the same messages. */
  receive(arrival: Arrival): void {
    if (arrival.node === this.to) {
      if (this.deliversOld) {
        this.#held.push(arrival);
      } else if (this.#state === 'done' || !this.#isDuplicate(arrival)) {
        this.deliver(arrival);
      }
    } else if (arrival.node === this.from && this.deliversOld) {
      this.#remember(arrival);
      if (!this.#earlier.takeOne(keyOf(arrival))) {
        this.deliver(arrival);
      }
    }
  }

  /** Calls `act` after `ms`, unless the migration moves on first. */
  after(ms: number, act: () => void): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(act, ms);
  }

  /** The old node sends nothing more: the new one takes over. */
  complete(): void {
    if (this.#state === 'pending') {
      this.#finish(); // the slot left before the new node had subscribed us: it sends no duplicates
    }
    if (this.#state !== 'overlapping') {
      return;
    }
    this.#moveTo('draining');
    clearTimeout(this.#timer);
    for (const arrival of this.#held.splice(0)) {
      if (!this.#isDuplicate(arrival)) {
        this.deliver(arrival);
      }
    }
    if (this.#ahead.empty) {
      this.end();
    } else {
      this.after(DRAIN_TIMEOUT_MS, () => this.end());
    }
  }

  /** The new node failed before it took over: the old one, which has delivered everything, continues. */
  abandon(): void {
    this.#held.length = 0;
    this.#finish();
  }

  /** Ends the migration early: delivers what is held back. */
  end(): void {
    this.complete();
    this.#finish();
  }

  #remember(arrival: Arrival): void {
    const key = keyOf(arrival);
    if (this.#state === 'overlapping') {
      this.#ahead.add(key);
    } else if (this.#recent.size < MAX_REMEMBERED_MESSAGES) {
      this.#recent.set(key, (this.#recent.get(key) ?? 0) + 1);
    }
  }

  #isDuplicate(arrival: Arrival): boolean {
    return this.#ahead.takeOne(keyOf(arrival));
  }

  #finish(): void {
    clearTimeout(this.#timer);
    if (this.#state !== 'done') {
      this.#moveTo('done');
      this.onDone();
    }
  }

  #moveTo(state: MigrationState): void {
    this.#state = transition('a migration', MIGRATION_TRANSITIONS, this.#state, state);
  }
}

/** Counts messages by their bytes. */
class MessageCounter {
  readonly #times = new Map<string, number>();

  get empty(): boolean {
    return this.#times.size === 0;
  }

  add(key: string): void {
    this.#times.set(key, (this.#times.get(key) ?? 0) + 1);
  }

  /** Subtracts one of these messages; returns false if there was none. */
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
