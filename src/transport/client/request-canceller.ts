import type { TransportEngine } from '../connection/create-engine.js';
import { encodeSignal } from '../wire/frame.js';
import type { PendingRequest } from './pending-request.js';
import type { ReplyInbox } from './reply-inboxes.js';

/** Doubled with each attempt. */
const FIRST_RETRY_MS = 100;
const LAST_RETRY_MS = 3_200;

/**
 * Tells servers that requests were cancelled, so that running handlers stop.
 *
 * @internal
 */
export class RequestCanceller {
  /** Requests that failed when their inbox was interrupted; they are cancelled once it is active again. */
  readonly #orphans = new Map<ReplyInbox, PendingRequest[]>();

  constructor(private readonly engine: TransportEngine) {}

  /** Best effort: if the signal is lost, so is the handler, or its reply will find no receiver. */
  cancel(request: PendingRequest): void {
    this.#publish(request, ignore);
  }

  cancelOnceActive(request: PendingRequest): void {
    const orphans = this.#orphans.get(request.inbox);
    if (orphans === undefined) {
      this.#orphans.set(request.inbox, [request]);
    } else {
      orphans.push(request);
    }
  }

  inboxActive(inbox: ReplyInbox): void {
    const orphans = this.#orphans.get(inbox);
    this.#orphans.delete(inbox);
    orphans?.forEach((request) => this.#retry(request, FIRST_RETRY_MS));
  }

  /**
   * The failure that interrupted the inbox has interrupted the server's subscription on the same master too: the first
   * signal may find no receiver although the handler still runs.
   */
  #retry(request: PendingRequest, retryAfter: number): void {
    this.#publish(request, (receivers) => {
      if (receivers === 0 && retryAfter <= LAST_RETRY_MS) {
        setTimeout(() => this.#retry(request, retryAfter * 2), retryAfter).unref();
      }
    });
  }

  #publish({ id, inbox, target }: PendingRequest, published: (receivers: number) => void): void {
    const { command, channel, options } = target;
    const signal = encodeSignal({ x: id, r: inbox.name });
    this.engine.publishWithObserver(command, channel, signal, { published, failed: ignore }, options);
  }
}

function ignore(): void {}
