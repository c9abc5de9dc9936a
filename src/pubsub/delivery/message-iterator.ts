import type { MessageBuffer } from './message-buffer.js';

/**
 * What waits in a queue and what comes to it, until `open` says no and nothing waits any more.
 *
 * No generator function: one that waits does not end before a message comes, whoever calls its `return()`.
 */
export class MessageIterator<T> implements AsyncGenerator<T, void, undefined> {
  #over = false;

  constructor(
    private readonly queue: MessageBuffer<T>,
    private readonly open: () => boolean,
  ) {}

  async next(): Promise<IteratorResult<T, void>> {
    while (!this.#over && (this.queue.length > 0 || this.open())) {
      const message = await this.queue.read('iteration', () => true, this.open() ? Infinity : 0);
      if (message !== undefined) {
        return { done: false, value: message };
      }
    }
    this.#over = true;
    return { done: true, value: undefined };
  }

  return(): Promise<IteratorResult<T, void>> {
    this.#end();
    return Promise.resolve({ done: true, value: undefined });
  }

  throw(error: unknown): Promise<IteratorResult<T, void>> {
    this.#end();
    // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- it is the caller's own
    return Promise.reject(error);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }

  #end(): void {
    this.#over = true;
    this.queue.release('iteration'); // those of others look, and wait on
  }
}
