import type { BaseRpcContext, MessageHandler } from '@nestjs/microservices';
import { isObservable, type Subscription } from 'rxjs';
import type { Work } from './active-work.js';
import { MASKED_ERROR } from './constants.js';
import type { Handlings } from './handlings.js';
import { type ProcessingHooks, startProcessing } from './processing-hooks.js';

export interface EventSurroundings {
  readonly hooks: ProcessingHooks;
  readonly handlings: Handlings;
  log(route: string, problem: string, error: unknown): void;
  over(run: EventRun): void;
}

/**
 * One event on its way through the handlers of its pattern. Nobody waits for the result: an Observable is subscribed,
 * so that it runs, and a failure is logged.
 *
 * @internal
 */
export class EventRun implements Work {
  #subscription: Subscription | undefined;
  #aborted = false;
  #began = 0;
  #failure: { readonly error: unknown } | undefined;

  constructor(
    private readonly route: string,
    private readonly surroundings: EventSurroundings,
  ) {}

  start(handler: MessageHandler, data: unknown, context: BaseRpcContext): void {
    startProcessing(
      this.surroundings.hooks,
      context,
      () => this.#run(handler, data, context),
      (error, began) => {
        this.#log('The processing start hook failed', error);
        if (!began) {
          this.surroundings.over(this);
        }
      },
    );
  }

  abort(): void {
    this.#aborted = true;
    this.#subscription?.unsubscribe();
    this.surroundings.over(this);
  }

  async #run(handler: MessageHandler, data: unknown, context: BaseRpcContext): Promise<void> {
    const finished = (): void => this.#finish(context);
    this.#began = this.surroundings.handlings.now();
    try {
      const result: unknown = await handler(data, context);
      if (isObservable(result) && !this.#isAborted()) {
        this.#subscription = result.subscribe({
          error: (error: unknown) => {
            this.#noteFailure(error);
            // Nest's filter has logged what it masked; the rest it would leave to us (Nest 11: to nobody).
            if (!isMasked(error)) {
              this.#log('An event handler failed', error);
            }
          },
        });
        this.#subscription.add(finished);
        return;
      }
    } catch (error) {
      this.#noteFailure(error);
      this.#log('An event handler failed', error);
    }
    finished();
  }

  #noteFailure(error: unknown): void {
    this.#failure = { error };
    this.surroundings.handlings.failed++;
  }

  #finish(context: BaseRpcContext): void {
    if (this.#began !== 0) {
      this.surroundings.handlings.tell(this.#began, {
        type: 'event',
        pattern: this.route,
        context,
        outcome: this.#failure === undefined ? 'done' : 'failed',
        error: this.#failure?.error,
      });
    }
    try {
      this.surroundings.hooks.end(context);
    } catch (error) {
      this.#log('The processing end hook failed', error);
    }
    this.surroundings.over(this);
  }

  /** A method, for TypeScript takes a field for unchanged across awaits. */
  #isAborted(): boolean {
    return this.#aborted;
  }

  #log(problem: string, error: unknown): void {
    this.surroundings.log(this.route, problem, error);
  }
}

function isMasked(error: unknown): boolean {
  return (error as { message?: unknown } | null | undefined)?.message === MASKED_ERROR.message;
}
