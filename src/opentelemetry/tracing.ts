import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { ReadPacket, Transport } from '@nestjs/microservices';
import {
  type Attributes,
  context as contexts,
  propagation,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  type TextMapGetter,
  trace,
  type Tracer,
} from '@opentelemetry/api';
import { InvalidArgumentError } from '../pubsub/errors.js';
import type { ClusterPubSubClient } from '../transport/client.js';
import type { ClusterPubSubContext } from '../transport/context.js';
import type { ClusterPubSubDiagnostics } from '../transport/diagnostics.js';
import type { ClusterPubSubServer } from '../transport/server.js';
import { INSTRUMENTATION } from './instrumentation-name.js';

/** @publicApi */
export interface TracingOptions {
  /** Default: one named `nestjs-cluster-pubsub` of the global tracer provider. */
  tracer?: Tracer | undefined;
}

type Diagnostic<Name extends keyof ClusterPubSubDiagnostics> = ClusterPubSubDiagnostics[Name];

/**
 * Traces what a client sends. Each request is a span from its dispatch to the end of its answer, each event one until
 * Redis has taken it; the trace travels in the packet's metadata (W3C `traceparent`, or whatever the global propagator
 * writes) to servers that {@link instrumentServer} traces. A dispatch hook that was set before is called as well; one
 * that is set later takes the place of this one.
 *
 * @returns ends it, and sets the hook that was there before
 * @throws {InvalidArgumentError} on Nest 11, which has no dispatch hook
 * @publicApi
 */
export function instrumentClient(
  client: ClusterPubSubClient,
  { tracer = trace.getTracer(INSTRUMENTATION) }: TracingOptions = {},
): () => void {
  const hooked = client as unknown as { onDispatchHook?: (packet: ReadPacket) => void };
  if (!('setOnDispatchHook' in client)) {
    throw new InvalidArgumentError('Tracing a client needs Nest 12: Nest 11 has no dispatch hook.');
  }
  const { onDispatchHook: earlier } = hooked;
  const spans = new WeakMap<ReadPacket, Span>();
  client.setOnDispatchHook((packet) => {
    earlier?.(packet);
    const isRequest = client.dispatching === 'request';
    const pattern = patternText(packet.pattern);
    const span = tracer.startSpan(`${isRequest ? 'send' : 'publish'} ${pattern}`, {
      kind: isRequest ? SpanKind.CLIENT : SpanKind.PRODUCER,
      attributes: attributesOf(pattern, 'send', isRequest ? 'send' : 'emit'),
    });
    spans.set(packet, span);
    const metadata = { ...packet.metadata };
    propagation.inject(trace.setSpan(contexts.active(), span), metadata);
    if (Object.keys(metadata).length > 0) {
      packet.metadata = metadata;
    }
  });
  const over = (message: unknown): void => {
    const { packet, outcome, error } = message as Diagnostic<
      'nestjs-cluster-pubsub:request' | 'nestjs-cluster-pubsub:emit'
    >;
    const span = spans.get(packet);
    if (span !== undefined) {
      noteOutcome(span, outcome, error);
      span.end();
    }
  };
  subscribe('nestjs-cluster-pubsub:request', over);
  subscribe('nestjs-cluster-pubsub:emit', over);
  return () => {
    unsubscribe('nestjs-cluster-pubsub:request', over);
    unsubscribe('nestjs-cluster-pubsub:emit', over);
    client.setOnDispatchHook((packet) => earlier?.(packet));
  };
}

/**
 * Traces what a server handles: each message is a span from the handler's start to its end, of an Observable to its
 * completion, under the trace that its sender has sent along. What the handler does itself is under that span. Processing
 * hooks that were set before are called as well; those that are set later take the place of these.
 *
 * @returns ends it, and sets the hooks that were there before
 * @publicApi
 */
export function instrumentServer(
  server: ClusterPubSubServer,
  { tracer = trace.getTracer(INSTRUMENTATION) }: TracingOptions = {},
): () => void {
  // Set by hand: the methods that set them are younger than Nest 11, as the default start hook is.
  const hooked = server as unknown as Hooked;
  const { onProcessingStartHook: earlierStart, onProcessingEndHook: earlierEnd } = hooked;
  const spans = new WeakMap<object, Span>();
  hooked.onProcessingStartHook = (transportId, context, done) => {
    // Not under what is active here: that is whatever opened the connection.
    const sent = propagation.extract(ROOT_CONTEXT, (context as ClusterPubSubContext).getMetadata(), STRINGS);
    const span = startHandling(tracer, context as ClusterPubSubContext, sent);
    spans.set(context as object, span);
    try {
      return contexts.with(trace.setSpan(sent, span), () =>
        earlierStart === undefined ? done() : earlierStart(transportId, context, done),
      );
    } catch (error) {
      noteOutcome(span, 'failed', error);
      span.end();
      throw error;
    }
  };
  hooked.onProcessingEndHook = (transportId, context) => {
    earlierEnd?.(transportId, context);
    spans.get(context as object)?.end();
  };
  // It comes before the end hook, which does not know how it ended.
  const handled = (message: unknown): void => {
    const { context, outcome, error } = message as Diagnostic<'nestjs-cluster-pubsub:handled'>;
    const span = spans.get(context);
    if (span !== undefined) {
      noteOutcome(span, outcome, error);
    }
  };
  subscribe('nestjs-cluster-pubsub:handled', handled);
  return () => {
    unsubscribe('nestjs-cluster-pubsub:handled', handled);
    hooked.onProcessingStartHook = earlierStart;
    hooked.onProcessingEndHook = earlierEnd;
  };
}

/** It gives what `done` gives where it is Nest's own, so that a rejection does not get lost. */
type StartHook = (transportId: Transport | symbol, context: unknown, done: () => Promise<unknown>) => unknown;
type EndHook = (transportId: Transport | symbol, context: unknown) => void;

interface Hooked {
  onProcessingStartHook: StartHook | undefined;
  onProcessingEndHook: EndHook | undefined;
}

function startHandling(tracer: Tracer, context: ClusterPubSubContext, sent: typeof ROOT_CONTEXT): Span {
  const { id } = context.getMessage() as { id?: unknown };
  const pattern = context.getPattern();
  return tracer.startSpan(
    `process ${pattern}`,
    {
      kind: id === undefined ? SpanKind.CONSUMER : SpanKind.SERVER,
      attributes: attributesOf(pattern, 'process', id === undefined ? 'event' : 'request'),
    },
    sent,
  );
}

/** Anybody may publish, so that what is read may be of any type; propagators split and match it as a string. */
const STRINGS: TextMapGetter<unknown> = {
  keys: (carrier) => (typeof carrier === 'object' && carrier !== null ? Object.keys(carrier) : []),
  get: (carrier, key) => {
    const value = (carrier as Readonly<Record<string, unknown>> | null | undefined)?.[key];
    return typeof value === 'string' ? value : undefined;
  },
};

function attributesOf(pattern: string, type: 'send' | 'process', name: string): Attributes {
  return {
    'messaging.system': 'redis',
    'messaging.destination.name': pattern,
    'messaging.operation.type': type,
    'messaging.operation.name': name,
  };
}

/** Never with the error's message: it may hold what a handler was given. */
function noteOutcome(span: Span, outcome: string, error: unknown): void {
  span.setAttribute('cluster_pubsub.outcome', outcome);
  if (outcome === 'failed') {
    span.setAttribute('error.type', errorType(error));
    span.setStatus({ code: SpanStatusCode.ERROR });
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

function patternText(pattern: ReadPacket['pattern']): string {
  return typeof pattern === 'object' ? JSON.stringify(pattern) : String(pattern);
}
