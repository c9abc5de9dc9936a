import type { BaseRpcContext, MessageHandler } from '@nestjs/microservices';
import { isObservable, type Observable, type Subscription } from 'rxjs';
import type { InFlightHandler } from './in-flight-handlers.js';
import type { Requester } from './requesters.js';
import { MASKED_ERROR } from '../common/constants.js';
import { toRpcError } from './rpc-error.js';
import { PayloadTooLargeError } from '../common/errors.js';
import type { HandlerMetrics } from '../telemetry/handler-metrics.js';
import { type ProcessingHooks, startProcessing } from './processing-hooks.js';
import type { ReplyPublisher, ReplyAddress } from './reply-publisher.js';
import { ReplyQueue, type ReplyQueueListener } from './reply-queue.js';

const SHUT_DOWN = { status: 'error', message: 'The service was shut down before it could answer' } as const;
const INCOMPLETE = { status: 'error', message: 'A part of the answer could not be sent' } as const;

/** As the asker gave it: ours are strings. */
export type RequestId = string | number;

/** What a request needs from around it. */
export interface RequestExecutionDeps {
  readonly replies: ReplyPublisher;
  readonly hooks: ProcessingHooks;
  readonly handlings: HandlerMetrics;
  /** Something the asker does not get to know. */
  log(route: string, problem: string, error: unknown): void;
  /** It is over, and its last reply is out. */
  over(request: RequestExecution): void;
}

/**
 * One request at the server:
 *
 * - `running`: the handler, or the Observable it gave, has not ended.
 * - `ended`: it has; the last replies may still be on their way.
 * - `stopped`: the asker has gone. Nothing more is sent.
 *
 * @internal
 */
export class RequestExecution implements InFlightHandler, ReplyQueueListener {
  #state: 'running' | 'ended' | 'stopped' = 'running';
  #handlerRuns = false;
  /** While the processing end hook is yet to be called. */
  #context: BaseRpcContext | undefined;
  #subscription: Subscription | undefined;
  #aborted = false;
  #askingWhetherGone = false;
  #gaveUp = false;
  #began = 0;
  #failure: { readonly error: unknown } | undefined;
  readonly #queue: ReplyQueue;

  constructor(
    /** Undefined: a stock Nest client, which cannot leave a request. */
    readonly asker: Requester | undefined,
    readonly id: RequestId,
    private readonly route: string,
    private readonly to: ReplyAddress,
    private readonly surroundings: RequestExecutionDeps,
  ) {
    this.#queue = new ReplyQueue(surroundings.replies, to, route, id, this);
  }

  start(handler: MessageHandler, data: unknown, context: BaseRpcContext): void {
    startProcessing(
      this.surroundings.hooks,
      context,
      () => this.#run(handler, data, context),
      (error, began) => {
        if (!began && this.#isRunning()) {
          this.#end({ err: MASKED_ERROR, isDisposed: true });
        }
        this.#log('The processing start hook failed', error);
      },
    );
  }

  /** The asker has gone: the handler's Observable is left, and nothing more is sent. */
  stop(): void {
    this.#state = 'stopped';
    this.#queue.clear();
    this.#subscription?.unsubscribe();
    this.drained();
  }

  abort(): void {
    this.#aborted = true;
    this.#handlerRuns = false;
    if (this.#isRunning()) {
      this.#endWith(SHUT_DOWN);
    }
    this.#closeSpan();
    this.drained();
  }

  async #run(handler: MessageHandler, data: unknown, context: BaseRpcContext): Promise<void> {
    this.#context = context;
    this.#began = this.surroundings.handlings.now();
    try {
      if (this.#isRunning()) {
        this.#handlerRuns = true;
        this.#handled(await handler(data, context));
      } else {
        this.#closeSpan();
      }
    } catch (error) {
      this.#noteFailure(error);
      this.#closeSpan();
      this.#rejected(error);
    }
    this.#handlerRuns = false;
    this.drained();
  }

  #handled(result: unknown): void {
    if (isObservable(result) && this.#isRunning()) {
      this.#follow(result);
      return;
    }
    this.#closeSpan();
    if (this.#isRunning()) {
      this.#end({ response: result, isDisposed: true });
    }
  }

  #rejected(error: unknown): void {
    if (this.#isRunning()) {
      const told = toRpcError(error, () => undefined);
      // It comes from outside Nest's filters, so that only what is made to be read is passed on.
      this.#end({ err: told === error ? MASKED_ERROR : told, isDisposed: true });
    }
    this.#log('The handler failed', error);
  }

  #follow(stream: Observable<unknown>): void {
    const subscription = stream.subscribe({
      next: (value) => {
        if (this.#isRunning()) {
          // Not `{ id }` alone for an undefined value: Nest 11 takes a reply with none of its keys for the payload.
          this.#queue.push(value === undefined ? { isDisposed: false } : { response: value });
        }
      },
      error: (error: unknown) => {
        this.#noteFailure(error);
        const err = toRpcError(error, (masked) => this.#log('The stream of the handler failed', masked));
        if (this.#isRunning()) {
          this.#end({ err, isDisposed: true });
        }
      },
      complete: () => {
        if (this.#isRunning()) {
          this.#complete();
        }
      },
    });
    this.#subscription = subscription;
    // Runs whether it completes, fails or is left, and at once where it is over already.
    subscription.add(() => this.#closeSpan());
    if (!this.#isRunning()) {
      subscription.unsubscribe();
    }
  }

  /** The last value and the end travel together, as with Nest's own transports, where they come in one tick. */
  #complete(): void {
    const { last } = this.#queue;
    if (last === undefined) {
      this.#end({ isDisposed: true });
    } else {
      last.isDisposed = true;
      this.#state = 'ended';
    }
  }

  #end(packet: { response?: unknown; err?: unknown; isDisposed: true }): void {
    this.#state = 'ended';
    this.#queue.pushNow(packet);
  }

  /** Ends the answer with an error: a stream with a hole in it would be worse. */
  #cutShort(err: unknown): void {
    if (this.#context !== undefined) {
      this.#failure ??= { error: err };
    }
    this.#endWith(err);
  }

  #endWith(err: unknown): void {
    this.#queue.clear();
    this.#subscription?.unsubscribe();
    this.#end({ err, isDisposed: true });
  }

  sent(receivers: number): void {
    // A stock client is counted only where it is connected, which may be any node.
    if (receivers > 0 || !this.#isRunning() || this.to.stock || this.#askingWhetherGone) {
      return;
    }
    this.#askingWhetherGone = true;
    this.surroundings.replies.isGone(this.to).then(
      (gone) => {
        this.#askingWhetherGone = false;
        if (gone && this.#isRunning()) {
          this.stop();
        }
      },
      () => (this.#askingWhetherGone = false),
    );
  }

  failed(error: unknown, at: 'encoding' | 'publishing'): void {
    if (at === 'publishing') {
      if (this.#isRunning()) {
        this.#cutShort(INCOMPLETE);
      }
    } else if (this.#state !== 'stopped' && !this.#gaveUp) {
      // Once: where not even the error can be encoded, there is nothing left to say.
      this.#gaveUp = true;
      const tooLarge = error instanceof PayloadTooLargeError;
      this.#cutShort(tooLarge ? { status: 'error', message: error.message } : MASKED_ERROR);
    }
    this.#log('An answer was not sent', error);
  }

  drained(): void {
    if (!this.#isRunning() && !this.#handlerRuns && this.#queue.isDrained) {
      this.surroundings.over(this);
    }
  }

  /** A method, for TypeScript takes a state for unchanged across calls and awaits. */
  #isRunning(): boolean {
    return this.#state === 'running';
  }

  #closeSpan(): void {
    const context = this.#context;
    if (context === undefined) {
      return;
    }
    this.#context = undefined;
    if (this.#began !== 0) {
      this.#tell(context);
    }
    try {
      this.surroundings.hooks.end(context);
    } catch (error) {
      this.#log('The processing end hook failed', error);
    }
  }

  #noteFailure(error: unknown): void {
    this.#failure = { error };
    this.surroundings.handlings.failed++;
  }

  #tell(context: BaseRpcContext): void {
    const done = this.#state === 'stopped' || this.#aborted ? 'cancelled' : 'done';
    this.surroundings.handlings.publish(this.#began, {
      type: 'request',
      pattern: this.route,
      context,
      outcome: this.#failure === undefined ? done : 'failed',
      error: this.#failure?.error,
    });
  }

  #log(problem: string, error: unknown): void {
    this.surroundings.log(this.route, problem, error);
  }
}
