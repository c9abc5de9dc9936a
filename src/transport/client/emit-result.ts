import { AsyncResource } from 'node:async_hooks';
import { Observable, type Subscriber } from 'rxjs';
import type { PublishObserver } from '../../pubsub/common/publish-options.js';

/**
 * What `emit` returns: it goes its way whether or not anybody subscribes, and tells those who do, then or later, when
 * Redis has taken the message, or why not.
 *
 * @internal
 */
export class EmitResult<T> extends Observable<T> implements PublishObserver {
  /** What is told of success: nothing, unless a subclass dispatches events in its own way. */
  value: T | undefined;
  #state: 'pending' | 'published' | 'failed' = 'pending';
  #error: unknown;
  #watchers: Watcher<T>[] | undefined;

  constructor(private readonly failedUnwatched: (error: unknown) => void) {
    super((subscriber) => this.#watch(subscriber));
  }

  published(): void {
    this.#state = 'published';
    this.#watchers?.forEach((watcher) => watcher.published(this.value));
  }

  failed(error: unknown): void {
    this.#state = 'failed';
    this.#error = error;
    this.#watchers?.forEach((watcher) => watcher.failed(error));
    // In a microtask: what fails at once has not been handed out yet.
    queueMicrotask(() => {
      if (this.#watchers === undefined) {
        this.failedUnwatched(error);
      }
    });
  }

  #watch(subscriber: Subscriber<T>): void {
    const watcher = new Watcher(subscriber);
    (this.#watchers ??= []).push(watcher);
    if (this.#state === 'published') {
      watcher.published(this.value);
    } else if (this.#state === 'failed') {
      watcher.failed(this.#error);
    }
  }
}

/** Is told in the asynchronous context in which it subscribed, as it would be by a promise. */
class Watcher<T> extends AsyncResource {
  constructor(private readonly subscriber: Subscriber<T>) {
    super('ClusterPubSubEmission');
  }

  published(value: T | undefined): void {
    this.runInAsyncScope(() => {
      // One value, as of Nest's own, so that `lastValueFrom` and `firstValueFrom` resolve.
      this.subscriber.next(value as T);
      this.subscriber.complete();
    });
  }

  failed(error: unknown): void {
    this.runInAsyncScope(() => this.subscriber.error(error));
  }
}
