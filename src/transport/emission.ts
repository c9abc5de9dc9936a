import { Observable, type Subscriber } from 'rxjs';
import type { PublishObserver } from '../pubsub/publication.js';

/**
 * What `emit` returns: it goes its way whether or not anybody subscribes, and tells those who do, then or later, when
 * Redis has taken the message, or why not.
 *
 * @internal
 */
export class Emission<T> extends Observable<T> implements PublishObserver {
  #state: 'pending' | 'published' | 'failed' = 'pending';
  #error: unknown;
  #watchers: Subscriber<T>[] | undefined;

  constructor(private readonly failedUnwatched: (error: unknown) => void) {
    super((subscriber) => this.#watch(subscriber));
  }

  published(): void {
    this.#state = 'published';
    this.#watchers?.forEach(tellPublished);
  }

  failed(error: unknown): void {
    this.#state = 'failed';
    this.#error = error;
    this.#watchers?.forEach((watcher) => watcher.error(error));
    // In a microtask: what fails at once has not been handed out yet.
    queueMicrotask(() => {
      if (this.#watchers === undefined) {
        this.failedUnwatched(error);
      }
    });
  }

  #watch(subscriber: Subscriber<T>): void {
    (this.#watchers ??= []).push(subscriber);
    if (this.#state === 'published') {
      tellPublished(subscriber);
    } else if (this.#state === 'failed') {
      subscriber.error(this.#error);
    }
  }
}

/** One value, as of Nest's own, so that `lastValueFrom` and `firstValueFrom` resolve. */
function tellPublished<T>(watcher: Subscriber<T>): void {
  watcher.next(undefined as T);
  watcher.complete();
}
