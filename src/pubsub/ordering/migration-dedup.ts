import { createHash } from 'node:crypto';
import type { NodeKey } from '../common/node-address.js';

/** A message on its way to the reader. */
export interface Arrival {
  readonly channel: Buffer;
  readonly data: Buffer;
  readonly node: NodeKey;
}

/** For how long a message that the old node has delivered may still come from the new one, to a busy reader, in ms. */
const ECHOES_FOR = 1_000;

/** How many messages of the old node are remembered, at most, while the new one has not confirmed. */
const REMEMBERED = 10_000;

/** A longer message is told apart by its digest, in bytes. */
const SHORT = 1_024;

/**
 * - `coming`: the new node has been asked; the old one is heard
 * - `both`: the new node has confirmed; the old one is heard, what the new one sends is kept
 * - `echoes`: the new node is heard, but for what the old one has delivered already
 * - `over`
 */
type MigrationState = 'coming' | 'both' | 'echoes' | 'over';

/**
 * One subscription moves from one living node to another, and stands at both for a while.
 *
 * After a planned failover, and wherever channels are classic, the cluster bus brings each message to both nodes. The old
 * one is heard until Redis has confirmed that the subscription is gone there, so that its last message is known; then
 * follows what the new one sent and the old one did not. Messages are told apart by their bytes: nothing is lost, and only
 * messages that are equal byte for byte could be counted wrong, by as many as were on the bus at the start.
 */
export class MigrationDeduplicator {
  #state: MigrationState = 'coming';
  /** What the old node delivered before we knew that the new one had us, and how often: it may have had us already. */
  readonly #recent = new Map<string, number>();
  readonly #kept: Arrival[] = [];
  /** What the old node delivered and the new one has not. */
  readonly #ahead = new MessageCounter();
  /** What was delivered before this hand-over began, and may come once more from the old node. */
  readonly #earlier: MessageCounter;
  #timer: NodeJS.Timeout | undefined;

  constructor(
    readonly from: NodeKey,
    readonly to: NodeKey,
    private readonly deliver: (arrival: Arrival) => void,
    private readonly over: () => void,
    /** What `from` has delivered lately, oldest first. */
    recent: readonly Arrival[] = [],
    /** The hand-over before this one, where that is not over yet. */
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

  /** Whether it is the old node that is heard. */
  get hearsOld(): boolean {
    return this.#state === 'coming' || this.#state === 'both';
  }

  /** The new node has confirmed. */
  confirmed(): void {
    if (this.#state !== 'coming') {
      return;
    }
    this.#state = 'both';
    for (const [key, times] of this.#recent) {
      // Of equal ones nobody can tell which of them the new node had.
      if (times === 1) {
        this.#ahead.add(key);
      }
    }
    this.#recent.clear();
  }

  /** A third node is one that the subscription has left already, or is leaving: the old one has heard all of it. */
  receive(arrival: Arrival): void {
    if (arrival.node === this.to) {
      if (this.hearsOld) {
        this.#kept.push(arrival);
      } else if (this.#state === 'over' || !this.#isEcho(arrival)) {
        this.deliver(arrival);
      }
    } else if (arrival.node === this.from && this.hearsOld) {
      this.#remember(arrival);
      if (!this.#earlier.takeOne(keyOf(arrival))) {
        this.deliver(arrival);
      }
    }
  }

  #remember(arrival: Arrival): void {
    const key = keyOf(arrival);
    if (this.#state === 'both') {
      this.#ahead.add(key);
    } else if (this.#recent.size < REMEMBERED) {
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

  /** The old node sends nothing more: the new one takes over. */
  complete(): void {
    if (this.#state === 'coming') {
      this.#finish(); // the slot has left before the new node had us: it repeats nothing
    }
    if (this.#state !== 'both') {
      return;
    }
    this.#state = 'echoes';
    clearTimeout(this.#timer);
    for (const arrival of this.#kept.splice(0)) {
      if (!this.#isEcho(arrival)) {
        this.deliver(arrival);
      }
    }
    if (this.#ahead.empty) {
      this.end();
    } else {
      this.after(ECHOES_FOR, () => {
        this.end();
      });
    }
  }

  /** The new node is gone before it took over: the old one, which has delivered all of it, goes on. */
  abandon(): void {
    this.#kept.length = 0;
    this.#finish();
  }

  /** Nothing is kept back any more. */
  end(): void {
    this.complete();
    this.#finish();
  }

  #finish(): void {
    clearTimeout(this.#timer);
    if (this.#state !== 'over') {
      this.#state = 'over';
      this.over();
    }
  }
}

/** How often each message was seen; messages are told apart by their bytes. */
class MessageCounter {
  readonly #times = new Map<string, number>();

  get empty(): boolean {
    return this.#times.size === 0;
  }

  add(key: string): void {
    this.#times.set(key, (this.#times.get(key) ?? 0) + 1);
  }

  /** Whether it was seen; if so, once less from now on. */
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
    data.length > SHORT ? createHash('sha1').update(data).digest('base64') : data.toString('latin1');
  return `${channel.toString('latin1')}\0${text}`;
}
