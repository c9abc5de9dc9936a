import { ClosedError } from '../common/errors.js';
import type { PubSubStatus } from '../common/events.js';

/** What happens on the way from one state to the next. */
export interface LifecycleCallbacks {
  /** Finds the cluster, or rejects; the signal tells that it is not wanted any more. */
  find(signal: AbortSignal): Promise<void>;
  /** The cluster was not found: nothing that was opened on the way is to stay. */
  notFound(): void;
  changed(status: PubSubStatus): void;
}

/**
 * The states of an engine, as {@link PubSubStatus} tells them. An arrow that is not here is not taken:
 *
 * ```
 *          connect()               found                  a subscription is lost
 *  ┌─idle ─────────► connecting ─────────────► connected ◄──────────────────────► reconnecting
 *  │  ▲                  │ not found               │         all stand again           │
 *  │  └──────────────────┘                         │                                   │
 *  └───────────────────► closed ◄──────────────────┴───────────────────────────────────┘
 * ```
 */
export class Lifecycle {
  readonly #abort = new AbortController();
  #status: PubSubStatus = 'idle';
  #connecting: Promise<void> | undefined;

  constructor(private readonly steps: LifecycleCallbacks) {}

  get status(): PubSubStatus {
    return this.#status;
  }

  /** Whether the cluster was found, and nobody has closed the engine since. */
  get open(): boolean {
    return this.#status === 'connected' || this.#status === 'reconnecting';
  }

  get closed(): boolean {
    return this.#status === 'closed';
  }

  /** @throws {@link ClosedError} */
  assertNotClosed(): void {
    if (this.closed) {
      throw new ClosedError();
    }
  }

  /** Calls that meet share one attempt; after a failure the next call tries again. */
  connect(): Promise<void> {
    if (this.closed) {
      return Promise.reject(new ClosedError());
    }
    this.#connecting ??= this.#connect().catch((error: unknown) => {
      this.#connecting = undefined;
      throw error;
    });
    return this.#connecting;
  }

  /** What {@link connect} has begun, and gives to all who call it, unless it failed. */
  get connecting(): Promise<void> | undefined {
    return this.#connecting;
  }

  /** Whether all that is wanted stands. */
  settled(whole: boolean): void {
    if (this.open) {
      this.#become(whole ? 'connected' : 'reconnecting');
    }
  }

  close(): void {
    this.#become('closed');
    this.#abort.abort();
  }

  async #connect(): Promise<void> {
    this.#become('connecting');
    try {
      await this.steps.find(this.#abort.signal);
    } catch (error) {
      if (this.closed) {
        throw new ClosedError(undefined, { cause: error });
      }
      this.steps.notFound();
      this.#become('idle');
      throw error;
    }
    this.assertNotClosed();
    this.#become('connected');
  }

  #become(status: PubSubStatus): void {
    const before = this.#status;
    if (status !== before && before !== 'closed') {
      this.#status = status;
      this.steps.changed(status);
    }
  }
}
