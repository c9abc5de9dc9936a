import { PayloadTooLargeError } from '../common/errors.js';
import { type Transitions, transition } from '../../util/transitions.js';
import { MASKED_ERROR } from '../common/constants.js';
import { HandlerExecution, type HandlerExecutionDeps } from './handler-execution.js';
import {
  type ReplyAddress,
  type ReplyPublisher,
  ReplyQueue,
  type ReplyQueueListener,
} from './reply-publisher.js';
import type { Requester } from './requesters.js';
import { toRpcError } from './rpc-error.js';

const SHUT_DOWN = { status: 'error', message: 'The service was shut down before it could respond' } as const;
const INCOMPLETE = { status: 'error', message: 'A part of the response could not be sent' } as const;

/** As the requester sent it: those of our clients are strings. */
export type RequestId = string | number;

/**
 * - `running`: the handler, or the Observable it returned, has not ended
 * - `ended`: it has ended; the last replies may still be on their way
 * - `stopped`: the requester has cancelled or is gone, and nothing more is sent
 */
type RequestExecutionState = 'running' | 'ended' | 'stopped';

export const REQUEST_EXECUTION_TRANSITIONS: Transitions<RequestExecutionState> = {
  running: ['ended', 'stopped'],
  ended: ['stopped'],
  stopped: [],
};

export interface RequestExecutionDeps extends HandlerExecutionDeps {
  readonly replies: ReplyPublisher;
}

/**
 * One request at the server.
 *
 * @internal
 */
export class RequestExecution extends HandlerExecution<RequestExecutionDeps> implements ReplyQueueListener {
  #state: RequestExecutionState = 'running';
  #isCheckingRequester = false;
  #encodingFailed = false;
  readonly #queue: ReplyQueue;

  constructor(
    /** Undefined: a stock Nest client, which cannot cancel a request. */
    private readonly requester: Requester | undefined,
    private readonly id: RequestId,
    route: string,
    private readonly to: ReplyAddress,
    deps: RequestExecutionDeps,
  ) {
    super('request', route, deps);
    this.#queue = new ReplyQueue(deps.replies, to, route, id, this);
  }

  /** Unsubscribes from the handler's Observable and sends nothing more: the requester has cancelled or is gone. */
  stop(): void {
    this.cancelled = true;
    this.#become('stopped');
    this.#queue.clear();
    this.unsubscribe();
    this.drained();
  }

  override abort(): void {
    super.abort();
    if (this.isRunning()) {
      this.#endWithError(SHUT_DOWN);
    }
    this.drained();
  }

  next(value: unknown): void {
    if (this.isRunning()) {
      // Not `{ id }` alone for an undefined value: Nest 11 takes a reply with none of its keys for the payload.
      this.#queue.push(value === undefined ? { isDisposed: false } : { response: value });
    }
  }

  /** As with Nest's own transports, the last value and the end travel together where both come in one tick. */
  complete(): void {
    if (!this.isRunning()) {
      return;
    }
    const { last } = this.#queue;
    if (last === undefined) {
      this.#end({ isDisposed: true });
    } else {
      last.isDisposed = true;
      this.#become('ended');
    }
  }

  sent(receivers: number): void {
    // A stock client is counted only at the node it is connected to, which may be any.
    if (receivers > 0 || !this.isRunning() || this.to.stock || this.#isCheckingRequester) {
      return;
    }
    this.#isCheckingRequester = true;
    this.deps.replies.isSubscribed(this.to).then(
      (subscribed) => {
        this.#isCheckingRequester = false;
        if (!subscribed && this.isRunning()) {
          this.stop();
        }
      },
      () => (this.#isCheckingRequester = false),
    );
  }

  failed(error: unknown, at: 'encoding' | 'publishing'): void {
    if (at === 'publishing') {
      if (this.isRunning()) {
        this.#cutShort(INCOMPLETE);
      }
    } else if (this.#state !== 'stopped' && !this.#encodingFailed) {
      // Once: if not even the error can be encoded, there is nothing left to send.
      this.#encodingFailed = true;
      const tooLarge = error instanceof PayloadTooLargeError;
      this.#cutShort(tooLarge ? { status: 'error', message: error.message } : MASKED_ERROR);
    }
    this.log('Failed to send response', error);
  }

  drained(): void {
    if (!this.isRunning() && !this.isHandling && this.#queue.isDrained) {
      this.deps.inFlight.delete(this);
      this.requester?.running.delete(String(this.id));
    }
  }

  protected isRunning(): boolean {
    return this.#state === 'running';
  }

  protected onRefused(): void {
    if (this.isRunning()) {
      this.#end({ err: MASKED_ERROR, isDisposed: true });
    }
  }

  protected onResult(result: unknown): void {
    if (this.isRunning()) {
      this.#end({ response: result, isDisposed: true });
    }
  }

  protected onFailure(error: unknown, source: 'handler' | 'stream'): void {
    let err: unknown;
    if (source === 'stream') {
      err = toRpcError(error, (masked) => this.log('Handler stream failed', masked));
    } else {
      // It bypassed Nest's exception filters, so only an RpcException, which is made to be read, is passed on.
      const rpcError = toRpcError(error, () => undefined);
      err = rpcError === error ? MASKED_ERROR : rpcError;
    }
    if (this.isRunning()) {
      this.#end({ err, isDisposed: true });
    }
    if (source === 'handler') {
      this.log('Handler failed', error);
    }
  }

  protected onFinished(): void {
    this.drained();
  }

  #become(next: RequestExecutionState): void {
    this.#state = transition('a request execution', REQUEST_EXECUTION_TRANSITIONS, this.#state, next);
  }

  #end(packet: { response?: unknown; err?: unknown; isDisposed: true }): void {
    this.#become('ended');
    this.#queue.pushNow(packet);
  }

  /** Ends the response with an error: a stream with a value missing would be worse. */
  #cutShort(err: unknown): void {
    this.markFailed(err);
    this.#endWithError(err);
  }

  #endWithError(err: unknown): void {
    this.#queue.clear();
    this.unsubscribe();
    this.#end({ err, isDisposed: true });
  }
}
