import type { BaseRpcContext, MessageHandler, Transport } from '@nestjs/microservices';
import { isObservable, type Observable, type Subscription } from 'rxjs';
import type { HandledType } from '../common/cluster-pubsub.context.js';
import { TRANSPORT_DIAGNOSTICS } from '../telemetry/diagnostics-channels.js';
import type { HandlerMetrics } from '../telemetry/handler-metrics.js';
import { isPromiseLike, settledWithin } from '../../util/promises.js';

const { handled } = TRANSPORT_DIAGNOSTICS;

/**
 * The part of Nest's `Server` that holds the processing hooks. They may be set at any time, so they are read for each
 * message. Nest has them since 11.1.4.
 */
export interface ProcessingHooks {
  readonly transportId?: Transport | symbol;
  onProcessingStartHook?(
    transportId: Transport | symbol | undefined,
    context: BaseRpcContext,
    run: () => Promise<void>,
  ): unknown;
  onProcessingEndHook?(transportId: Transport | symbol | undefined, context: BaseRpcContext): void;
}

export interface HandlerExecutionDeps {
  readonly hooks: ProcessingHooks;
  readonly metrics: HandlerMetrics;
  readonly inFlight: InFlightHandlers;
  /** Logs an error that is reported nowhere else. */
  log(route: string, problem: string, error: unknown): void;
}

/**
 * One message on its way through a handler: calls Nest's processing hooks and the handler, subscribes to an Observable
 * that the handler returns (as its observer, without a closure a message), and reports once when either has ended.
 *
 * @internal
 */
export abstract class HandlerExecution<Deps extends HandlerExecutionDeps = HandlerExecutionDeps> {
  /** Stopped from outside before the handler ended. */
  protected cancelled = false;
  #hasStarted = false;
  /** Set while the handler, or its Observable, runs. */
  #context: BaseRpcContext | undefined;
  /** 0 while the diagnostics channel has no subscriber. */
  #startedAt = 0;
  #failure: { readonly error: unknown } | undefined;
  #subscription: Subscription | undefined;

  constructor(
    private readonly type: HandledType,
    protected readonly route: string,
    protected readonly deps: Deps,
  ) {}

  start(handler: MessageHandler, data: unknown, context: BaseRpcContext): void {
    this.deps.inFlight.add(this);
    const run = (): Promise<void> =>
      this.#hasStarted ? Promise.resolve() : this.#run(handler, data, context);
    const onHookError = (error: unknown): void => {
      if (!this.#hasStarted) {
        this.onRefused();
      }
      this.log('Processing start hook failed', error);
    };
    try {
      const { hooks } = this.deps;
      const result =
        hooks.onProcessingStartHook === undefined
          ? run()
          : hooks.onProcessingStartHook(hooks.transportId, context, run);
      // Nest's default hook returns what `run` returns; a user's hook may return nothing, or a promise that rejects.
      if (isPromiseLike(result)) {
        result.then(undefined, onHookError);
      }
    } catch (error) {
      onHookError(error);
    }
  }

  /** Ends the execution although the handler has not finished. */
  abort(): void {
    this.cancelled = true;
    this.unsubscribe();
    this.#finish();
  }

  /** A value of the handler's Observable. */
  abstract next(value: unknown): void;
  /** The handler's Observable has completed. */
  abstract complete(): void;

  /** The handler's Observable has failed. */
  error(error: unknown): void {
    this.#fail(error, 'stream');
  }

  /** Whether results are still wanted. A method: TypeScript takes a field for unchanged across awaits. */
  protected abstract isRunning(): boolean;
  /** The start hook failed before it let the handler run. */
  protected abstract onRefused(): void;
  /** The handler has returned something other than an Observable. */
  protected abstract onResult(result: unknown): void;
  protected abstract onFailure(error: unknown, source: 'handler' | 'stream'): void;
  /** Neither the handler nor its Observable runs any more. May be called more than once. */
  protected abstract onFinished(): void;

  protected unsubscribe(): void {
    this.#subscription?.unsubscribe();
  }

  /** Whether the handler, or its Observable, still runs. */
  protected get isHandling(): boolean {
    return this.#context !== undefined;
  }

  /** Lets the execution count as failed, if it has not ended: the handler succeeded, its result did not. */
  protected markFailed(error: unknown): void {
    if (this.isHandling) {
      this.#failure ??= { error };
    }
  }

  protected log(problem: string, error: unknown): void {
    this.deps.log(this.route, problem, error);
  }

  async #run(handler: MessageHandler, data: unknown, context: BaseRpcContext): Promise<void> {
    this.#hasStarted = true;
    this.#context = context;
    this.#startedAt = handled.hasSubscribers ? performance.now() : 0;
    try {
      const result: unknown = this.isRunning() ? await handler(data, context) : undefined;
      if (isObservable(result) && this.isRunning()) {
        this.#subscribe(result);
      } else {
        this.#finish();
        this.onResult(result);
      }
    } catch (error) {
      this.#fail(error, 'handler');
    }
  }

  #subscribe(stream: Observable<unknown>): void {
    this.#subscription = stream.subscribe(this);
    // Runs when the stream completes, fails or is unsubscribed; at once if it has ended already.
    this.#subscription.add(() => this.#finish());
    if (!this.isRunning()) {
      this.unsubscribe();
    }
  }

  /** Finishes before anything is logged: a logger that throws must not keep the execution in flight. */
  #fail(error: unknown, source: 'handler' | 'stream'): void {
    this.#failure = { error };
    this.deps.metrics.failed++;
    this.#finish();
    this.onFailure(error, source);
  }

  #finish(): void {
    const context = this.#context;
    if (context !== undefined) {
      this.#context = undefined;
      this.#report(context);
      try {
        const { hooks } = this.deps;
        hooks.onProcessingEndHook?.(hooks.transportId, context);
      } catch (error) {
        this.log('Processing end hook failed', error);
      }
    }
    this.onFinished();
  }

  #report(context: BaseRpcContext): void {
    if (this.#startedAt === 0) {
      return;
    }
    const outcome = this.cancelled ? 'cancelled' : 'done';
    this.deps.metrics.publish(this.#startedAt, {
      type: this.type,
      pattern: this.route,
      context,
      outcome: this.#failure === undefined ? outcome : 'failed',
      error: this.#failure?.error,
    });
  }
}

/**
 * The executions in progress, which `close()` lets finish.
 *
 * @internal
 */
export class InFlightHandlers {
  readonly #executions = new Set<HandlerExecution>();
  #onIdle: (() => void) | undefined;

  get size(): number {
    return this.#executions.size;
  }

  add(execution: HandlerExecution): void {
    this.#executions.add(execution);
  }

  delete(execution: HandlerExecution): void {
    this.#executions.delete(execution);
    if (this.#executions.size === 0) {
      this.#onIdle?.();
    }
  }

  /** Resolves when no execution is in progress, or after `ms`. */
  async idle(ms: number): Promise<void> {
    if (this.#executions.size > 0) {
      await settledWithin(ms, new Promise<void>((resolve) => (this.#onIdle = resolve)));
      this.#onIdle = undefined;
    }
  }

  abortAll(): void {
    for (const execution of [...this.#executions]) {
      execution.abort();
    }
  }
}
