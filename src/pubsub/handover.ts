import type { NodeKey } from './node-address.js';

/** A message on its way to the reader. */
export interface Arrival {
  readonly channel: Buffer;
  readonly data: Buffer;
  readonly node: NodeKey;
}

/** For how long a message that the old node has delivered may still come from the new one, to a busy reader, in ms. */
const ECHOES_FOR = 1_000;

/**
 * - `both`: the old node is heard, what the new one sends is kept
 * - `echoes`: the new node is heard, but for what the old one has delivered already
 * - `over`
 */
type HandoverState = 'both' | 'echoes' | 'over';

/**
 * One subscription moves from one living node to another, and stands at both for a while.
 *
 * After a planned failover, and wherever channels are classic, the cluster bus brings each message to both nodes. The old
 * one is heard until Redis has confirmed that the subscription is gone there, so that its last message is known; then
 * follows what the new one sent and the old one did not. Messages are told apart by their bytes: nothing is lost, and only
 * messages that are equal byte for byte could be counted wrong, by as many as were on the bus at the start.
 */
export class Handover {
  #state: HandoverState = 'both';
  readonly #kept: Arrival[] = [];
  /** What the old node delivered and the new one has not, and how often. */
  readonly #ahead = new Map<string, number>();
  #timer: NodeJS.Timeout | undefined;

  constructor(
    readonly from: NodeKey,
    readonly to: NodeKey,
    private readonly deliver: (arrival: Arrival) => void,
    private readonly over: () => void,
  ) {}

  receive(arrival: Arrival): void {
    if (arrival.node === this.from && this.#state === 'both') {
      const key = keyOf(arrival);
      this.#ahead.set(key, (this.#ahead.get(key) ?? 0) + 1);
      this.deliver(arrival);
    } else if (arrival.node === this.to) {
      if (this.#state === 'both') {
        this.#kept.push(arrival);
      } else if (!this.#isSecond(arrival)) {
        this.deliver(arrival);
      }
    } else if (arrival.node !== this.from) {
      this.deliver(arrival);
    }
  }

  /** The old node sends nothing more: the new one takes over. */
  complete(): void {
    if (this.#state !== 'both') {
      return;
    }
    this.#state = 'echoes';
    for (const arrival of this.#kept.splice(0)) {
      if (!this.#isSecond(arrival)) {
        this.deliver(arrival);
      }
    }
    if (this.#ahead.size === 0) {
      this.end();
    } else {
      this.#timer = setTimeout(() => {
        this.end();
      }, ECHOES_FOR);
    }
  }

  /** Nothing is kept back any more. */
  end(): void {
    this.complete();
    clearTimeout(this.#timer);
    if (this.#state !== 'over') {
      this.#state = 'over';
      this.#ahead.clear();
      this.over();
    }
  }

  #isSecond(arrival: Arrival): boolean {
    const key = keyOf(arrival);
    const times = this.#ahead.get(key);
    if (times === undefined) {
      return false;
    }
    if (times === 1) {
      this.#ahead.delete(key);
    } else {
      this.#ahead.set(key, times - 1);
    }
    return true;
  }
}

function keyOf({ channel, data }: Arrival): string {
  return `${channel.toString('latin1')}\0${data.toString('latin1')}`;
}
