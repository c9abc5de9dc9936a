import type { MessageBuffer } from './message-buffer.js';

/**
 * Iterates over the messages in a buffer and those that are added, until `isOpen` returns false and the buffer is empty.
 *
 * Not a generator function: `return()` would not end one that waits before the next message arrives.
 */
export class MessageIterator<T> implements AsyncGenerator<T, void, undefined> {
  #ended = false;

  constructor(
    private readonly buffer: MessageBuffer<T>,
    private readonly isOpen: () => boolean,
  ) {}

  async next(): Promise<IteratorResult<T, void>> {
    while (!this.#ended && (this.buffer.length > 0 || this.isOpen())) {
      const message = await this.buffer.read('iteration', () => true, this.isOpen() ? Infinity : 0);
      if (message !== undefined) {
        return { done: false, value: message };
      }
    }
    this.#ended = true;
    return { done: true, value: undefined };
  }

  return(): Promise<IteratorResult<T, void>> {
    this.#end();
    return Promise.resolve({ done: true, value: undefined });
  }

  throw(error: unknown): Promise<IteratorResult<T, void>> {
    this.#end();
    // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- the caller's own error
    return Promise.reject(error);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }

  #end(): void {
    this.#ended = true;
    this.buffer.release('iteration'); // other iterations check again and continue to wait
  }
}
