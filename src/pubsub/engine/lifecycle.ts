import { ClosedError } from '../common/errors.js';
import { deferred, type Deferred } from '../../util/promises.js';
import { type Transitions, transition } from '../../util/transitions.js';
import type { PubSubStatus } from '../common/events.js';

/** Every legal move of an engine; the states are those of {@link PubSubStatus}. */
export const LIFECYCLE_TRANSITIONS: Transitions<PubSubStatus> = {
  idle: ['connecting', 'closed'],
  connecting: ['connected', 'idle', 'closed'],
  connected: ['reconnecting', 'closed'],
  reconnecting: ['connected', 'closed'],
  closed: [],
};

/** What a {@link Lifecycle} calls back on its way. */
export interface LifecycleCallbacks {
  /** Finds the cluster, or rejects; the signal aborts when the engine is closed. */
  find(signal: AbortSignal): Promise<void>;
  /** The cluster was not found: closes whatever was opened on the way. */
  notFound(): void;
  changed(status: PubSubStatus): void;
}

/** The states of an engine, from `idle` to `closed`. */
export class Lifecycle {
  readonly #abort = new AbortController();
  #status: PubSubStatus = 'idle';
  #attempt: Deferred<undefined> | undefined;
  #search: Promise<void> | undefined;

  constructor(private readonly steps: LifecycleCallbacks) {}

  get status(): PubSubStatus {
    return this.#status;
  }

  /** Whether the cluster was found, and the engine has not been closed since. */
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

  /** Concurrent calls share one attempt; after a failure the next call tries again. */
  connect(): Promise<void> {
    if (this.closed) {
      return Promise.reject(new ClosedError());
    }
    this.#attempt ??= this.#connect();
    return this.#attempt.promise;
  }

  /** The attempt that {@link connect} has started and shares, unless it failed. */
  get connecting(): Promise<void> | undefined {
    return this.#attempt?.promise;
  }

  /**
   * As {@link connect}, for what is accepted now: when the engine is closed meanwhile it goes on waiting, until
   * {@link abort}.
   */
  async find(): Promise<void> {
    this.assertNotClosed();
    try {
      await this.connect();
    } catch (error) {
      if (!this.closed) {
        throw error;
      }
      await this.#search;
    }
  }

  /** Notes whether all subscriptions are active. */
  settled(whole: boolean): void {
    if (this.open) {
      this.#become(whole ? 'connected' : 'reconnecting');
    }
  }

  /** A search for the cluster goes on until {@link abort}. */
  close(): void {
    this.#become('closed');
    this.#attempt?.reject(new ClosedError());
  }

  /** Ends the search for the cluster of an engine that is closed. */
  abort(): void {
    this.#abort.abort();
  }

  #connect(): Deferred<undefined> {
    this.#become('connecting');
    const attempt = deferred<undefined>();
    this.#search = this.steps.find(this.#abort.signal).catch((error: unknown) => {
      throw this.#abort.signal.aborted ? new ClosedError(undefined, { cause: error }) : error;
    });
    this.#search.then(
      () => {
        this.#become('connected');
        if (this.open) {
          attempt.resolve(undefined);
        } else {
          attempt.reject(new ClosedError());
        }
      },
      (error: unknown) => {
        if (!this.closed) {
          this.steps.notFound();
          this.#attempt = undefined;
          this.#become('idle');
        }
        attempt.reject(error as Error);
      },
    );
    return attempt;
  }

  #become(status: PubSubStatus): void {
    const before = this.#status;
    if (status !== before && before !== 'closed') {
      this.#status = transition('the lifecycle of an engine', LIFECYCLE_TRANSITIONS, before, status);
      this.steps.changed(status);
    }
  }
}
