import { type Span, SpanStatusCode } from '@opentelemetry/api';

/** The spans that have begun and not ended, each by what it is about. */
export class OpenSpans<T> {
  readonly #spans = new Map<T, Span>();

  begin(about: T, span: Span): void {
    this.#spans.set(about, span);
  }

  /** Never with the error's message: it may hold what a handler was given. */
  end(about: T, outcome: string, error: unknown): void {
    const span = this.#spans.get(about);
    if (span === undefined) {
      return;
    }
    this.#spans.delete(about);
    span.setAttribute('cluster_pubsub.outcome', outcome);
    if (outcome === 'failed') {
      span.setAttribute('error.type', errorType(error));
      span.setStatus({ code: SpanStatusCode.ERROR });
    }
    span.end();
  }

  /** Without an outcome, for that is not known yet. */
  endAll(): void {
    for (const span of this.#spans.values()) {
      span.end();
    }
    this.#spans.clear();
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
