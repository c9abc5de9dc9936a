import { PublishError, QueueFullError } from '../../pubsub/common/errors.js';
import {
  type ClusterConnectionOptions,
  type OverflowPolicy,
  readLimits,
  readOverflowPolicy,
} from '../../pubsub/common/options.js';
import { TimeoutQueue } from '../../util/timeout-queue.js';
import type { PendingRequest } from './pending-request.js';

/** How long requests may wait, in ms, and how many; the same limits as for messages that wait for their node. */
export interface InboxWaitLimits {
  readonly commandTimeout: number;
  readonly maxQueuedMessages: number;
  readonly onOverflow: OverflowPolicy;
}

export function readInboxWaitLimits(options: ClusterConnectionOptions): InboxWaitLimits {
  return { ...readLimits(options), onOverflow: readOverflowPolicy(options.onOverflow) };
}

/**
 * The requests that wait for one reply inbox to become active. None of them has been published, so each may be sent
 * again.
 *
 * @internal
 */
export class InboxWaitQueue {
  readonly #waiting = new Set<PendingRequest>();
  readonly #timeouts: TimeoutQueue<PendingRequest>;

  constructor(
    private readonly limits: InboxWaitLimits,
    /** Fails a request; its owner deletes it from the queue. */
    private readonly fail: (request: PendingRequest, error: unknown) => void,
    /** The node that the inbox waits for, as far as is known. */
    private readonly node: () => string | undefined,
  ) {
    this.#timeouts = new TimeoutQueue((request) => this.fail(request, this.#timeoutError(request)));
  }

  get size(): number {
    return this.#waiting.size;
  }

  add(request: PendingRequest): void {
    const { commandTimeout, maxQueuedMessages, onOverflow } = this.limits;
    let excess: PendingRequest | undefined;
    if (this.#waiting.size >= maxQueuedMessages) {
      excess = onOverflow === 'drop-oldest' ? this.#waiting.values().next().value : request;
    }
    if (excess !== request) {
      this.#waiting.add(request);
      this.#timeouts.start(request, commandTimeout);
    }
    if (excess !== undefined) {
      this.fail(excess, new QueueFullError(this.node() ?? 'an unowned slot', maxQueuedMessages));
    }
  }

  delete(request: PendingRequest): void {
    this.#waiting.delete(request);
    this.#timeouts.stop(request, this.limits.commandTimeout);
  }

  /** Removes all requests. @returns them in the order in which they were added. */
  drain(): PendingRequest[] {
    const requests = [...this.#waiting];
    this.#waiting.clear();
    this.#timeouts.clear();
    return requests;
  }

  #timeoutError({ target }: PendingRequest): PublishError {
    const reason = `the reply inbox was not confirmed within ${String(this.limits.commandTimeout)} ms.`;
    return new PublishError(target.channel, this.node(), 'not-delivered', reason);
  }
}
