import {
  readLimits,
  readOverflowPolicy,
  type ClusterConnectionOptions,
  type OverflowPolicy,
} from '../../pubsub/common/options.js';
import { PublishError, QueueFullError } from '../../pubsub/common/errors.js';
import type { PendingRequest } from './pending-request.js';

/** How long, in ms, and how many requests may wait; as for messages that wait for their node. */
export interface InboxWaitLimits {
  readonly commandTimeout: number;
  readonly maxQueuedMessages: number;
  readonly onOverflow: OverflowPolicy;
}

export function readInboxWaitLimits(options: ClusterConnectionOptions): InboxWaitLimits {
  return { ...readLimits(options), onOverflow: readOverflowPolicy(options.onOverflow) };
}

/**
 * The requests that wait for their inbox, which does not stand: not longer than messages wait for their node, and not
 * more of them. None has been published, so each may be sent again.
 *
 * @internal
 */
export class InboxWaitQueue {
  /** Since when each waits, by the monotonic clock, in ms; the first has waited longest. */
  readonly #since = new Map<PendingRequest, number>();
  #timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly limits: InboxWaitLimits,
    private readonly fail: (call: PendingRequest, error: unknown) => void,
    /** The node that the inbox waits for, as far as is known. */
    private readonly node: () => string | undefined,
  ) {}

  get size(): number {
    return this.#since.size;
  }

  add(call: PendingRequest): void {
    const { commandTimeout, maxQueuedMessages, onOverflow } = this.limits;
    let excess: PendingRequest | undefined;
    if (this.#since.size >= maxQueuedMessages) {
      excess = onOverflow === 'drop-oldest' ? this.#since.keys().next().value : call;
    }
    if (excess !== call) {
      this.#since.set(call, performance.now());
      this.#timer ??= this.#look(commandTimeout);
    }
    if (excess !== undefined) {
      this.fail(excess, new QueueFullError(this.node() ?? 'an unowned slot', maxQueuedMessages));
    }
  }

  delete(call: PendingRequest): void {
    if (this.#since.delete(call) && this.#since.size === 0) {
      clearTimeout(this.#timer);
      this.#timer = undefined;
    }
  }

  /** Those that wait, in the order in which they came; none does any more. */
  take(): PendingRequest[] {
    const calls = [...this.#since.keys()];
    this.#since.clear();
    clearTimeout(this.#timer);
    this.#timer = undefined;
    return calls;
  }

  #look(after: number): NodeJS.Timeout {
    return setTimeout(() => {
      this.#timer = undefined;
      this.#failLate();
    }, after).unref();
  }

  #failLate(): void {
    const { commandTimeout } = this.limits;
    for (const [call, since] of this.#since) {
      const left = since + commandTimeout - performance.now();
      if (left > 0) {
        this.#timer ??= this.#look(left);
        return;
      }
      this.fail(call, this.#notSent(call)); // and with that it is deleted
    }
  }

  #notSent({ channels: lanes }: PendingRequest): PublishError {
    const reason = `the channel for its answer did not stand within ${String(this.limits.commandTimeout)} ms.`;
    return new PublishError(lanes[0]?.channel ?? '', this.node(), 'not-delivered', reason);
  }
}
