import type { ArmClient } from '../arm.js';
import type { Load, Outcome } from '../members/protocol.js';
import type { ReceiptsReader } from '../members/receipts.js';
import { bytesOf, dataOf } from './payload.js';
import { graceToArrive, type RunningLoad } from './running-load.js';

type Events = Extract<Load, { kind: 'events' }>;

/**
 * Events in flight at most. The same for all arms, because some do not slow their callers down, and a queue
 * that grows without bound is not a rate.
 */
const mostEvents = 4_096;
/** Half of the unread bytes at which Redis disconnects a subscriber. */
const mostBytes = 16 * 2 ** 20;

/** Events emitted in one turn of the event loop. */
const burst = 64;

const patience = 10_000;

/** Emits as fast as the slowest receiver receives. */
export class EventStream implements RunningLoad {
  readonly #data: unknown;
  readonly #window: number;
  #emitted = 0;
  #scheduled = false;
  #stopped = false;

  constructor(
    private readonly client: ArmClient,
    private readonly load: Events,
    private readonly receipts: ReceiptsReader,
  ) {
    this.#data = dataOf(load.payload);
    this.#window = Math.min(mostEvents, Math.floor(mostBytes / bytesOf(load.payload)));
  }

  get done(): number {
    return this.#emitted;
  }

  async begin(): Promise<void> {
    await this.#knowToArrive();
    this.receipts.onChange = () => this.#schedule();
    this.#schedule();
  }

  async stop(): Promise<Outcome> {
    this.#stopped = true;
    await this.#until(() => this.#arrived >= this.#emitted, graceToArrive).catch(() => undefined);
    return { sent: this.#emitted, arrived: this.#arrived, failed: 0 };
  }

  get #arrived(): number {
    return this.receipts.lowest;
  }

  /** Stock Nest's `listen()` calls back before all subscriptions are confirmed, so the first events may be lost. */
  async #knowToArrive(): Promise<void> {
    this.receipts.reset();
    // Subscriptions are confirmed in order, so the last one is enough.
    const last = this.load.patterns.at(-1)!;
    let tried = 0;
    const attempt = (): void => {
      tried += 1;
      this.client.emit(last, this.#data);
    };
    const retry = setInterval(attempt, 200);
    attempt();
    const { receivers } = this.load;
    await this.#until(() => this.receipts.size === receivers && this.receipts.lowest > 0).finally(() => {
      clearInterval(retry);
    });
    // Events that were emitted more than once may still be in flight.
    if (tried > 1) await new Promise((resolve) => setTimeout(resolve, 500));
    this.receipts.reset();
  }

  #schedule(): void {
    if (this.#scheduled || this.#stopped) return;
    this.#scheduled = true;
    setImmediate(this.#turn);
  }

  readonly #turn = (): void => {
    this.#scheduled = false;
    if (this.#stopped) return;
    const { patterns } = this.load;
    const room = Math.min(burst, this.#window - (this.#emitted - this.#arrived));
    for (let count = 0; count < room; count += 1) {
      this.client.emit(patterns[this.#emitted % patterns.length]!, this.#data);
      this.#emitted += 1;
    }
    // Without room, the next receipt continues.
    if (room === burst) this.#schedule();
  };

  #until(condition: () => boolean, within = patience): Promise<void> {
    return new Promise((resolve, reject) => {
      const finish = (settle: () => void): void => {
        clearTimeout(timer);
        this.receipts.onChange = () => undefined;
        settle();
      };
      const check = (): void => {
        if (condition()) finish(resolve);
      };
      const timer = setTimeout(
        () => finish(() => reject(new Error('Not all was received in time.'))),
        within,
      );
      this.receipts.onChange = check;
      check();
    });
  }
}
