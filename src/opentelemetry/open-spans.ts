import { type Span, SpanStatusCode } from '@opentelemetry/api';

interface OpenSpan<T extends object> {
  readonly span: Span;
  readonly subject: WeakRef<T>;
}

/**
 * Spans that have started and not ended, by their subject: a packet or a context. Subjects hold payloads and the end of some
 * is never reported, so they are referenced weakly.
 */
export class OpenSpans<T extends object> {
  readonly #bySubject = new WeakMap<T, OpenSpan<T>>();
  readonly #all = new Set<OpenSpan<T>>();
  readonly #collected = new FinalizationRegistry<OpenSpan<T>>((one) => {
    this.#all.delete(one);
  });

  begin(subject: T, span: Span): void {
    const one = { span, subject: new WeakRef(subject) };
    this.#bySubject.set(subject, one);
    this.#all.add(one);
    this.#collected.register(subject, one, one);
  }

  /** Leaves out the message of the error, which may contain a payload. */
  end(subject: T, outcome: string, error: unknown): void {
    const one = this.#bySubject.get(subject);
    if (one === undefined) {
      return;
    }
    this.#close(one, subject);
    const { span } = one;
    span.setAttribute('cluster_pubsub.outcome', outcome);
    if (outcome === 'failed') {
      span.setAttribute('error.type', errorType(error));
      span.setStatus({ code: SpanStatusCode.ERROR });
    }
    span.end();
  }

  /** Ends all spans without an outcome, which is not known yet. */
  endAll(): void {
    for (const one of [...this.#all]) {
      this.#close(one, one.subject.deref());
      one.span.end();
    }
  }

  #close(one: OpenSpan<T>, subject: T | undefined): void {
    this.#all.delete(one);
    this.#collected.unregister(one);
    if (subject !== undefined) {
      this.#bySubject.delete(subject);
    }
  }
}

function errorType(error: unknown): string {
  const { code, name } = (error ?? {}) as { code?: unknown; name?: unknown };
  if (typeof code === 'string') {
    return code;
  }
  // The fallback of the semantic conventions.
  return error instanceof Error && typeof name === 'string' ? name : '_OTHER';
}
