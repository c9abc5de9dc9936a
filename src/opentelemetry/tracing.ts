import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { ReadPacket, Transport } from '@nestjs/microservices';
import {
  type Attributes,
  context as contexts,
  propagation,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  type TextMapGetter,
  trace,
  type Tracer,
} from '@opentelemetry/api';
import { InvalidArgumentError } from '../pubsub/common/errors.js';
import { isPromiseLike } from '../util/promises.js';
import type { ClusterPubSubClient } from '../transport/client/client.js';
import type { ClusterPubSubContext } from '../transport/common/cluster-pubsub.context.js';
import type { ClusterPubSubDiagnostics } from '../transport/diagnostics.js';
import type { ClusterPubSubServer } from '../transport/server/server.js';
import { INSTRUMENTATION } from './instrumentation-name.js';
import { OpenSpans } from './open-spans.js';

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
 * @returns ends it, with the spans that are open; other hooks stay as they are
 * @throws {InvalidArgumentError} on Nest 11, which has no dispatch hook
 * @publicApi
 */
export function instrumentClient(
  client: ClusterPubSubClient,
  { tracer = trace.getTracer(INSTRUMENTATION) }: TracingOptions = {},
): () => void {
  if (!('setOnDispatchHook' in client)) {
    throw new InvalidArgumentError('Tracing a client needs Nest 12: Nest 11 has no dispatch hook.');
  }
  const hooked = client as unknown as { onDispatchHook: DispatchHook | undefined };
  const { onDispatchHook: earlier } = hooked;
  const spans = new OpenSpans<ReadPacket>();
  let isUndone = false;
  const hook: DispatchHook = (packet) => {
    earlier?.(packet);
    if (isUndone) {
      return;
    }
    const isRequest = client.dispatching === 'request';
    const pattern = patternText(packet.pattern);
    const span = tracer.startSpan(`${isRequest ? 'send' : 'publish'} ${pattern}`, {
      kind: isRequest ? SpanKind.CLIENT : SpanKind.PRODUCER,
      attributes: attributesOf(pattern, 'send', isRequest ? 'send' : 'emit'),
    });
    spans.begin(packet, span);
    const metadata = { ...packet.metadata };
    propagation.inject(trace.setSpan(contexts.active(), span), metadata);
    if (Object.keys(metadata).length > 0) {
      packet.metadata = metadata;
    }
  };
  client.setOnDispatchHook(hook);
  const over = (message: unknown): void => {
    const { packet, outcome, error } = message as Diagnostic<
      'nestjs-cluster-pubsub:request' | 'nestjs-cluster-pubsub:emit'
    >;
    spans.end(packet, outcome, error);
  };
  subscribe('nestjs-cluster-pubsub:request', over);
  subscribe('nestjs-cluster-pubsub:emit', over);
  return () => {
    isUndone = true;
    unsubscribe('nestjs-cluster-pubsub:request', over);
    unsubscribe('nestjs-cluster-pubsub:emit', over);
    // Under one that was set later it stays, and only calls the one of before.
    if (hooked.onDispatchHook === hook) {
      hooked.onDispatchHook = earlier;
    }
    spans.endAll();
  };
}

/**
 * Traces what a server handles: each message is a span from the handler's start to its end, of an Observable to its
 * completion, under the trace that its sender has sent along. What the handler does itself is under that span. A
 * processing start hook that was set before is called as well; one that is set later takes the place of this one.
 *
 * @returns ends it, with the spans that are open; other hooks stay as they are
 * @publicApi
 */
export function instrumentServer(
  server: ClusterPubSubServer,
  { tracer = trace.getTracer(INSTRUMENTATION) }: TracingOptions = {},
): () => void {
  // Set by hand: the method that sets it is younger than Nest 11, as the default start hook is.
  const hooked = server as unknown as Hooked;
  const { onProcessingStartHook: earlier } = hooked;
  const spans = new OpenSpans<object>();
  let isUndone = false;
  const hook: StartHook = (transportId, context, done) => {
    if (isUndone) {
      return earlier === undefined ? done() : earlier(transportId, context, done);
    }
    // Not under what is active here: that is whatever opened the connection.
    const sent = propagation.extract(ROOT_CONTEXT, context.getMetadata(), STRINGS);
    const span = startHandling(tracer, context, sent);
    spans.begin(context, span);
    let began = false;
    const begin = (): Promise<unknown> => {
      began = true;
      return done();
    };
    const refused = (error: unknown): void => {
      // Once the handler runs it is told of by itself, whatever the hook does.
      if (!began) {
        spans.end(context, 'failed', error);
      }
    };
    try {
      const result = contexts.with(trace.setSpan(sent, span), () =>
        earlier === undefined ? begin() : earlier(transportId, context, begin),
      );
      if (isPromiseLike(result)) {
        result.then(undefined, refused);
      }
      return result;
    } catch (error) {
      refused(error);
      throw error;
    }
  };
  hooked.onProcessingStartHook = hook;
  const handled = (message: unknown): void => {
    const { context, outcome, error } = message as Diagnostic<'nestjs-cluster-pubsub:handled'>;
    spans.end(context, outcome, error);
  };
  subscribe('nestjs-cluster-pubsub:handled', handled);
  return () => {
    isUndone = true;
    unsubscribe('nestjs-cluster-pubsub:handled', handled);
    if (hooked.onProcessingStartHook === hook) {
      hooked.onProcessingStartHook = earlier;
    }
    spans.endAll();
  };
}

type DispatchHook = (packet: ReadPacket) => void;

/** It gives what `done` gives where it is Nest's own, so that a rejection does not get lost. */
type StartHook = (
  transportId: Transport | symbol,
  context: ClusterPubSubContext,
  done: () => Promise<unknown>,
) => unknown;

interface Hooked {
  onProcessingStartHook: StartHook | undefined;
}

function startHandling(tracer: Tracer, context: ClusterPubSubContext, sent: typeof ROOT_CONTEXT): Span {
  const pattern = context.getPattern();
  const type = context.handledAs;
  return tracer.startSpan(
    `process ${pattern}`,
    {
      kind: type === 'event' ? SpanKind.CONSUMER : SpanKind.SERVER,
      attributes: attributesOf(pattern, 'process', type),
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

function patternText(pattern: ReadPacket['pattern']): string {
  return typeof pattern === 'object' ? JSON.stringify(pattern) : String(pattern);
}
