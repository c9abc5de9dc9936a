import type { Attributes, SpanKind, SpanStatusCode } from '@opentelemetry/api';

/** A span, as a process of a trace reports it. */
export interface ReportedSpan {
  readonly process: string;
  readonly name: string;
  readonly kind: SpanKind;
  readonly status: SpanStatusCode;
  readonly attributes: Attributes;
  readonly events: readonly string[];
  readonly traceId: string;
  readonly spanId: string;
  readonly parent: string | undefined;
}
