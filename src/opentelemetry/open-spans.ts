import { type Span, SpanStatusCode } from '@opentelemetry/api';

interface OpenSpan<T extends object> {
  readonly span: Span;
  readonly about: WeakRef<T>;
}

/**
 * The spans that have begun and not ended, each by what it is about. That is a packet or a context, with a payload in it: it
 * is not held, for of some nobody ever tells the end.
 */
export class OpenSpans<T extends object> {
  readonly #byAbout = new WeakMap<T, OpenSpan<T>>();
  readonly #all = new Set<OpenSpan<T>>();
  readonly #forgotten = new FinalizationRegistry<OpenSpan<T>>((one) => {
    this.#all.delete(one);
  });

  begin(about: T, span: Span): void {
    const one = { span, about: new WeakRef(about) };
    this.#byAbout.set(about, one);
    this.#all.add(one);
    this.#forgotten.register(about, one, one);
  }

  /** Never with the error's message: it may hold what a handler was given. */
  end(about: T, outcome: string, error: unknown): void {
    const one = this.#byAbout.get(about);
    if (one === undefined) {
      return;
    }
    this.#close(one, about);
    const { span } = one;
    span.setAttribute('cluster_pubsub.outcome', outcome);
    if (outcome === 'failed') {
      span.setAttribute('error.type', errorType(error));
      span.setStatus({ code: SpanStatusCode.ERROR });
    }
    span.end();
  }

  /** Without an outcome, for that is not known yet. */
  endAll(): void {
    for (const one of [...this.#all]) {
      this.#close(one, one.about.deref());
      one.span.end();
    }
  }

  #close(one: OpenSpan<T>, about: T | undefined): void {
    this.#all.delete(one);
    this.#forgotten.unregister(one);
    if (about !== undefined) {
      this.#byAbout.delete(about);
    }
  }
}

function errorType(error: unknown): string {
  const { code, name } = (error ?? {}) as { code?: unknown; name?: unknown };
  if (typeof code === 'string') {
    return code;
  }
  // What semantic conventions say where nothing better is known.
  return error instanceof Error && typeof name === 'string' ? name : '_OTHER';
}
