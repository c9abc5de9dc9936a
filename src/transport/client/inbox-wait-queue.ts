import { PublishError, QueueFullError } from '../../pubsub/common/errors.js';
import {
  type ClusterConnectionOptions,
  readLimits,
  readOverflowPolicy,
} from '../../pubsub/common/options.js';
import { lateError } from '../../util/error-message.js';
import { TimeoutQueue } from '../../util/timeout-queue.js';
import type { TransportEngine } from '../connection/create-engine.js';
import type { PendingRequest } from './pending-request.js';
import type { ReplyInbox } from './reply-inboxes.js';

/**
 * The requests that wait for their reply inbox to become active. The limits are those of messages that wait for their
 * node, and apply to each inbox. No request here has been published, so each may be sent again.
 *
 * @internal
 */
export class InboxWaitQueue {
  readonly #waiting = new Map<ReplyInbox, Set<PendingRequest>>();
  readonly #timeouts: TimeoutQueue<PendingRequest>;
  readonly #limits;

  constructor(
    private readonly engine: TransportEngine,
    options: ClusterConnectionOptions,
    /** Fails a request; its owner deletes it from the queue. */
    private readonly fail: (request: PendingRequest, error: unknown) => void,
  ) {
    this.#limits = { ...readLimits(options), onOverflow: readOverflowPolicy(options.onOverflow) };
    this.#timeouts = new TimeoutQueue((request) => this.fail(request, this.#timeoutError(request)));
  }

  get size(): number {
    return [...this.#waiting.values()].reduce((sum, { size }) => sum + size, 0);
  }

  add(request: PendingRequest): void {
    const { commandTimeout, maxQueuedMessages, onOverflow } = this.#limits;
    const requests = this.#requestsOf(request.inbox);
    let excess: PendingRequest | undefined;
    if (requests.size >= maxQueuedMessages) {
      excess = onOverflow === 'drop-oldest' ? requests.values().next().value : request;
    }
    if (excess !== request) {
      requests.add(request);
      this.#timeouts.start(request, commandTimeout);
    }
    if (excess !== undefined) {
      const node = this.engine.nodeOf(request.inbox.name) ?? 'an unowned slot';
      this.fail(excess, new QueueFullError(node, maxQueuedMessages));
    }
  }

  delete(request: PendingRequest): void {
    this.#waiting.get(request.inbox)?.delete(request);
    this.#timeouts.stop(request, this.#limits.commandTimeout);
  }

  /** Removes the requests of an inbox, and returns them in the order in which they were added. */
  take(inbox: ReplyInbox): PendingRequest[] {
    const requests = [...(this.#waiting.get(inbox) ?? [])];
    this.#waiting.delete(inbox);
    requests.forEach((request) => this.#timeouts.stop(request, this.#limits.commandTimeout));
    return requests;
  }

  #requestsOf(inbox: ReplyInbox): Set<PendingRequest> {
    let requests = this.#waiting.get(inbox);
    if (requests === undefined) {
      this.#waiting.set(inbox, (requests = new Set()));
    }
    return requests;
  }

  #timeoutError({ inbox, target }: PendingRequest): PublishError {
    const { message: reason, cause } = lateError(
      `the reply inbox was not confirmed within ${String(this.#limits.commandTimeout)} ms`,
      this.engine.failureOf(inbox.name),
    );
    const node = this.engine.nodeOf(inbox.name);
    return new PublishError(target.channel, node, 'not-delivered', reason, { cause });
  }
}
