/** A promise with its `resolve` and `reject`. (`Promise.withResolvers` requires Node 22.) */
export interface Deferred<T> {
  readonly promise: Promise<T>;
  resolve(value: T): void;
  reject(reason: Error): void;
}

export function deferred<T>(): Deferred<T> {
  let resolve!: (value: T) => void;
  let reject!: (reason: Error) => void;
  const promise = new Promise<T>((onResolve, onReject) => {
    resolve = onResolve;
    reject = onReject;
  });
  return { promise, resolve, reject };
}

/** Handlers, serializers and hooks return a promise or a plain value, which is used without waiting. */
export function isPromiseLike(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as { then?: unknown } | null | undefined)?.then === 'function';
}

/** Settles like `promise`, or rejects with the error of `onTimeout` after `ms`. */
export async function withTimeout<T>(promise: Promise<T>, ms: number, onTimeout: () => Error): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const expiry = new Promise<never>((_, reject) => {
    // What settles it may be in a socket: after a blocked event loop, timers run before sockets are read.
    timer = setTimeout(() => setImmediate(() => reject(onTimeout())), ms);
  });
  try {
    return await Promise.race([promise, expiry]);
  } finally {
    clearTimeout(timer);
  }
}

/** Resolves when `promise` has settled either way, or after `ms`. Never rejects. */
export async function settledWithin(ms: number, promise: Promise<unknown>): Promise<void> {
  await withTimeout(promise, ms, () => new Error('too late')).catch(() => undefined);
}

/** What was accepted between two calls of {@link Backlog.flush}. */
export class Batch {
  #open = 0;
  #flushed: Deferred<undefined> | undefined;

  get open(): number {
    return this.#open;
  }

  enter(): this {
    this.#open += 1;
    return this;
  }

  leave(): void {
    this.#open -= 1;
    if (this.#open === 0) {
      this.#flushed?.resolve(undefined);
    }
  }

  /** Resolves when everything has left; for a batch that nothing enters any more. */
  flushed(): Promise<undefined> {
    this.#flushed ??= deferred();
    if (this.#open === 0) {
      this.#flushed.resolve(undefined);
    }
    return this.#flushed.promise;
  }
}

/** Counts work that was accepted and has not ended; costs a comparison and two additions for each piece of work. */
export class Backlog {
  #current = new Batch();
  #older: Batch[] = [];

  get size(): number {
    return this.#older.reduce((sum, { open }) => sum + open, this.#current.open);
  }

  /** Accepts a piece of work, which leaves the batch when it ends. */
  enter(): Batch {
    return this.#current.enter();
  }

  /** Resolves when everything accepted before has ended. */
  async flush(): Promise<void> {
    this.#older = [...this.#older, this.#current].filter(({ open }) => open > 0);
    this.#current = new Batch();
    await Promise.all(this.#older.map((batch) => batch.flushed()));
  }
}

/**
 * Lets concurrent calls share one run of a task, but never a run that began before the call: the caller may have seen
 * something newer than that run. So at most one run is active and one waits.
 */
export class SingleFlight {
  #running: Promise<void> | undefined;
  #next: Promise<void> | undefined;

  constructor(private readonly task: () => Promise<void>) {}

  run(): Promise<void> {
    if (this.#running === undefined) {
      this.#running = this.task().finally(() => {
        this.#running = undefined;
      });
      return this.#running;
    }
    this.#next ??= this.#running
      .catch(() => undefined)
      .then(() => {
        this.#next = undefined;
        return this.run();
      });
    return this.#next;
  }
}
