import { AsyncResource } from 'node:async_hooks';
import { Observable, type Subscriber } from 'rxjs';
import type { Batch } from '../../util/promises.js';
import type { PublishObserver } from '../../pubsub/common/publish-options.js';

/**
 * The Observable returned by `emit()`. Publishing does not depend on a subscriber; late subscribers receive the result
 * too.
 *
 * @internal
 */
export class EmitResult<T> extends Observable<T> implements PublishObserver {
  #state: 'pending' | 'published' | 'failed' = 'pending';
  #error: unknown;
  #subscribers: ContextBoundSubscriber<T>[] | undefined;

  constructor(
    private readonly onUnobservedError: (error: unknown) => void,
    /** Left when the result is known. */
    private readonly batch: Batch | undefined,
  ) {
    super((subscriber) => this.#add(subscriber));
  }

  published(): void {
    this.#state = 'published';
    this.batch?.leave();
    this.#subscribers?.forEach((subscriber) => subscriber.complete());
  }

  failed(error: unknown): void {
    this.#state = 'failed';
    this.batch?.leave();
    this.#error = error;
    this.#subscribers?.forEach((subscriber) => subscriber.fail(error));
    // In a microtask, because what fails at once has not been returned to the caller yet.
    queueMicrotask(() => {
      if (this.#subscribers === undefined) {
        this.onUnobservedError(error);
      }
    });
  }

  #add(subscriber: Subscriber<T>): void {
    const bound = new ContextBoundSubscriber(subscriber);
    (this.#subscribers ??= []).push(bound);
    if (this.#state === 'published') {
      bound.complete();
    } else if (this.#state === 'failed') {
      bound.fail(this.#error);
    }
  }
}

/** Is called in the asynchronous context in which it subscribed, as with a promise. */
class ContextBoundSubscriber<T> extends AsyncResource {
  constructor(private readonly subscriber: Subscriber<T>) {
    super('ClusterPubSubEmit');
  }

  complete(): void {
    this.runInAsyncScope(() => {
      // One value, as from Nest's own clients, so that `lastValueFrom` and `firstValueFrom` resolve.
      this.subscriber.next(undefined as T);
      this.subscriber.complete();
    });
  }

  fail(error: unknown): void {
    this.runInAsyncScope(() => this.subscriber.error(error));
  }
}
