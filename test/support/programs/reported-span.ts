import type { Attributes, SpanKind, SpanStatusCode } from '@opentelemetry/api';

/** What a process of a trace says of one of its spans. */
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
