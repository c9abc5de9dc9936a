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
  /** Default: the tracer `nestjs-cluster-pubsub` of the global tracer provider. */
  tracer?: Tracer | undefined;
}

type Diagnostic<Name extends keyof ClusterPubSubDiagnostics> = ClusterPubSubDiagnostics[Name];

/**
 * Traces the requests and events of a client. The span of a request lasts from its dispatch to the end of its response,
 * that of an event until Redis has accepted it. The trace context travels in the metadata of the packet (W3C `traceparent`,
 * or the format of the global propagator) to servers with {@link instrumentServer}. A dispatch hook set earlier is still
 * called; one set later replaces this one.
 *
 * @returns a function that ends the instrumentation and its open spans; other hooks stay as they are
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
  let isEnded = false;
  const hook: DispatchHook = (packet) => {
    earlier?.(packet);
    if (isEnded) {
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
  const onEnd = (message: unknown): void => {
    const { packet, outcome, error } = message as Diagnostic<
      'nestjs-cluster-pubsub:request' | 'nestjs-cluster-pubsub:emit'
    >;
    spans.end(packet, outcome, error);
  };
  subscribe('nestjs-cluster-pubsub:request', onEnd);
  subscribe('nestjs-cluster-pubsub:emit', onEnd);
  return () => {
    isEnded = true;
    unsubscribe('nestjs-cluster-pubsub:request', onEnd);
    unsubscribe('nestjs-cluster-pubsub:emit', onEnd);
    // A hook set later may still call this one, which then only calls the earlier one.
    if (hooked.onDispatchHook === hook) {
      hooked.onDispatchHook = earlier;
    }
    spans.endAll();
  };
}

/**
 * Traces the handlers of a server. The span of a message lasts from the start of its handler to the end of the promise or
 * Observable, and is a child of the sender's span; it is active while the handler runs. A processing start hook set earlier
 * is still called; one set later replaces this one.
 *
 * @returns a function that ends the instrumentation and its open spans; other hooks stay as they are
 * @publicApi
 */
export function instrumentServer(
  server: ClusterPubSubServer,
  { tracer = trace.getTracer(INSTRUMENTATION) }: TracingOptions = {},
): () => void {
  // Set directly: Nest 11 has neither the setter nor a default hook.
  const hooked = server as unknown as Hooked;
  const { onProcessingStartHook: earlier } = hooked;
  const spans = new OpenSpans<object>();
  let isEnded = false;
  const hook: StartHook = (transportId, context, done) => {
    if (isEnded) {
      return earlier === undefined ? done() : earlier(transportId, context, done);
    }
    // Not a child of the active span, which belongs to whatever opened the connection.
    const sent = propagation.extract(ROOT_CONTEXT, context.getMetadata(), STRINGS);
    const span = startHandling(tracer, context, sent);
    spans.begin(context, span);
    let isStarted = false;
    const begin = (): Promise<unknown> => {
      isStarted = true;
      return done();
    };
    const onRefused = (error: unknown): void => {
      // Once the handler runs, its end is reported whatever the hook does.
      if (!isStarted) {
        spans.end(context, 'failed', error);
      }
    };
    try {
      const result = contexts.with(trace.setSpan(sent, span), () =>
        earlier === undefined ? begin() : earlier(transportId, context, begin),
      );
      if (isPromiseLike(result)) {
        result.then(undefined, onRefused);
      }
      return result;
    } catch (error) {
      onRefused(error);
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
    isEnded = true;
    unsubscribe('nestjs-cluster-pubsub:handled', handled);
    if (hooked.onProcessingStartHook === hook) {
      hooked.onProcessingStartHook = earlier;
    }
    spans.endAll();
  };
}

type DispatchHook = (packet: ReadPacket) => void;

/** Nest's own hook returns the result of `done`, so that a rejection is not lost. */
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

/** Metadata comes from any sender and may have any type, but propagators expect strings. */
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
