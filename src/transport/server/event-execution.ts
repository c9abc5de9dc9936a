import type { BaseRpcContext, MessageHandler } from '@nestjs/microservices';
import { isObservable, type Subscription } from 'rxjs';
import type { InFlightHandler } from './in-flight-handlers.js';
import { MASKED_ERROR } from '../common/constants.js';
import { errorLogText } from '../../util/error-message.js';
import type { HandlerMetrics } from '../telemetry/handler-metrics.js';
import { type ProcessingHooks, startProcessing } from './processing-hooks.js';

export interface EventExecutionDeps {
  readonly hooks: ProcessingHooks;
  readonly handlings: HandlerMetrics;
  log(route: string, problem: string, error: unknown): void;
  over(run: EventExecution): void;
}

/**
 * One event on its way through the handlers of its pattern. Nobody waits for the result: an Observable is subscribed,
 * so that it runs, and a failure is logged.
 *
 * @internal
 */
export class EventExecution implements InFlightHandler {
  #subscription: Subscription | undefined;
  /** While the processing end hook is yet to be called. */
  #context: BaseRpcContext | undefined;
  #aborted = false;
  #began = 0;
  #failure: { readonly error: unknown } | undefined;

  constructor(
    private readonly route: string,
    private readonly surroundings: EventExecutionDeps,
  ) {}

  start(handler: MessageHandler, data: unknown, context: BaseRpcContext): void {
    startProcessing(
      this.surroundings.hooks,
      context,
      () => this.#run(handler, data, context),
      (error, began) => {
        if (!began) {
          this.surroundings.over(this);
        }
        this.#log('The processing start hook failed', error);
      },
    );
  }

  abort(): void {
    this.#aborted = true;
    this.#subscription?.unsubscribe();
    this.#finish();
    this.surroundings.over(this);
  }

  async #run(handler: MessageHandler, data: unknown, context: BaseRpcContext): Promise<void> {
    this.#context = context;
    this.#began = this.surroundings.handlings.now();
    try {
      const result: unknown = this.#isAborted() ? undefined : await handler(data, context);
      if (isObservable(result) && !this.#isAborted()) {
        this.#subscription = result.subscribe({
          // Nest's filter has logged what it masked; the rest it would leave to us (Nest 11: to nobody).
          error: (error: unknown) => this.#failed(error, isMasked(error)),
        });
        this.#subscription.add(() => this.#finish());
        return;
      }
    } catch (error) {
      this.#failed(error, false);
      return;
    }
    this.#finish();
  }

  /** It is over before it is logged: no logger that throws is to keep it among those that run. */
  #failed(error: unknown, isLogged: boolean): void {
    this.#failure = { error };
    this.surroundings.handlings.failed++;
    this.#finish();
    if (!isLogged) {
      this.#log('An event handler failed', error);
    }
  }

  #finish(): void {
    const context = this.#context;
    if (context === undefined) {
      return;
    }
    this.#context = undefined;
    if (this.#began !== 0) {
      const done = this.#isAborted() ? 'cancelled' : 'done';
      this.surroundings.handlings.publish(this.#began, {
        type: 'event',
        pattern: this.route,
        context,
        outcome: this.#failure === undefined ? done : 'failed',
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
  return errorLogText(error) === MASKED_ERROR.message;
}
