import { afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { SpanKind, trace } from '@opentelemetry/api';
import { InMemorySpanExporter, NodeTracerProvider, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-node';
import { firstValueFrom, interval, lastValueFrom, take } from 'rxjs';
import { instrumentClient, instrumentServer } from '../../../src/opentelemetry/index.js';
import type {
  ClusterPubSubClient,
  ClusterPubSubContext,
  ClusterPubSubServer,
} from '../../../src/transport/index.js';
import { addHandlers, listen, outcome, transports } from '../../support/transports.js';
import { eventually, Signal } from '../../support/waiting.js';

const harness = transports();
const exporter = new InMemorySpanExporter();
const stops: (() => void)[] = [];
let server: ClusterPubSubServer;
let client: ClusterPubSubClient;

beforeEach(async () => {
  server = harness.newServer();
  addHandlers(server, {
    metadata: (_data, context) => context.getMetadata() ?? null,
    count: () => interval(1),
    hang: () => new Promise(() => undefined),
    'event:told': () => undefined,
  });
  await listen(server);
  client = harness.client();
});

afterEach(() => {
  stops.splice(0).forEach((stop) => stop());
  exporter.reset();
});

/** Instruments both until the test is over. */
function instrument(): void {
  stops.push(instrumentServer(server), instrumentClient(client));
}

const spans = () =>
  exporter.getFinishedSpans().map(({ name, attributes }) => ({
    name,
    outcome: attributes['cluster_pubsub.outcome'],
    error: attributes['error.type'],
  }));

describe('without a tracer provider', () => {
  it('nothing is added to a packet, and all goes its way', async () => {
    instrument();
    expect(await lastValueFrom(client.send('metadata', 1))).toBeNull();
  });
});

describe('with a tracer provider', () => {
  beforeAll(() => {
    new NodeTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }).register();
  });

  it('hooks that were set before are called, and what they attach travels beside the trace', async () => {
    const seen: string[] = [];
    client.setOnDispatchHook((packet) => (packet.metadata = { tenant: 'acme' }));
    server.setOnProcessingStartHook((_id, context, done) => {
      seen.push(`start ${(context as ClusterPubSubContext).getPattern()}`);
      void done();
    });
    server.setOnProcessingEndHook((_id, context) => {
      seen.push(`end ${(context as ClusterPubSubContext).getPattern()}`);
    });
    instrument();
    expect(await lastValueFrom(client.send('metadata', 1))).toEqual({
      tenant: 'acme',
      traceparent: expect.stringMatching(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/),
    });
    expect(seen).toEqual(['start metadata', 'end metadata']);
    expect(spans().map(({ name }) => name)).toEqual(['process metadata', 'send metadata']);
  });

  it('once it is undone there are the hooks of before, and no spans', async () => {
    client.setOnDispatchHook((packet) => (packet.metadata = { tenant: 'acme' }));
    const undo = [instrumentServer(server), instrumentClient(client)];
    undo.forEach((stop) => stop());
    expect(await lastValueFrom(client.send('metadata', 1))).toEqual({ tenant: 'acme' });
    expect(spans()).toEqual([]);
  });

  it('those that were set meanwhile stay, and so does tracing that began later', async () => {
    const [clientFirst, clientSecond] = [instrumentClient(client), instrumentClient(client)];
    const [serverFirst, serverSecond] = [instrumentServer(server), instrumentServer(server)];
    clientFirst();
    serverFirst();
    await lastValueFrom(client.send('metadata', 1));
    expect(spans().map(({ name }) => name)).toEqual(['process metadata', 'send metadata']);
    clientSecond();
    serverSecond();
    exporter.reset();
    expect(await lastValueFrom(client.send('metadata', 1))).toBeNull();
    expect(spans()).toEqual([]);

    const stop = instrumentClient(client);
    client.setOnDispatchHook((packet) => (packet.metadata = { tenant: 'acme' }));
    stop();
    expect(await lastValueFrom(client.send('metadata', 1))).toEqual({ tenant: 'acme' });
  });

  it('what is under way when it is undone ends with it', async () => {
    const undo = [instrumentServer(server), instrumentClient(client)];
    const asked = client.send('hang', 1).subscribe({ error: () => undefined });
    await eventually(() => server.metrics().running === 1, 'the handler runs');
    undo.forEach((stop) => stop());
    expect(spans().map(({ name }) => name)).toEqual(['process hang', 'send hang']);
    asked.unsubscribe();
  });

  it.each([
    [
      'at once',
      () => {
        throw new Error('refused');
      },
    ],
    ['later', () => Promise.reject(new Error('refused'))],
  ])('the span of a message that a start hook refuses %s has failed', async (_when, refuse) => {
    server.setOnProcessingStartHook(refuse as () => void);
    instrument();
    await outcome(client.send('metadata', 1));
    expect(spans()).toContainEqual({ name: 'process metadata', outcome: 'failed', error: 'Error' });
  });

  it('the span of a handler that a closing server stops ends as cancelled', async () => {
    instrument();
    const asked = outcome(client.send('hang', 1));
    await eventually(() => server.metrics().running === 1, 'the handler runs');
    await server.close();
    await asked;
    expect(spans()).toContainEqual({ name: 'process hang', outcome: 'cancelled', error: undefined });
  });

  it('a span ends although an end hook throws, or was set later', async () => {
    server.setOnProcessingEndHook(() => {
      throw new Error('a broken hook');
    });
    instrument();
    await lastValueFrom(client.send('metadata', 1));
    server.setOnProcessingEndHook(() => undefined);
    await lastValueFrom(client.send('metadata', 2));
    expect(spans().filter(({ name }) => name === 'process metadata')).toHaveLength(2);
  });

  it('a request without a cluster has a failed span', async () => {
    const lost = harness.client({ nodes: [{ host: '127.0.0.1', port: 1 }], connectTimeout: 100 });
    stops.push(instrumentClient(lost));
    await outcome(lost.send('ask', 1));
    await outcome(lost.emit('told', 1));
    expect(spans()).toEqual([
      { name: 'send ask', outcome: 'failed', error: 'CLUSTER_UNREACHABLE' },
      { name: 'publish told', outcome: 'failed', error: 'CLUSTER_UNREACHABLE' },
    ]);
  });

  it('an event of a stranger that has an id is an event all the same', async () => {
    instrument();
    await harness.redis().publish(`${harness.prefix}told`, JSON.stringify({ id: 7, data: {} }));
    await eventually(() => spans().length === 1, 'it is handled');
    expect(exporter.getFinishedSpans()[0]).toMatchObject({
      kind: SpanKind.CONSUMER,
      attributes: { 'messaging.operation.name': 'event' },
    });
  });

  it('two clients and servers of one process do not end the spans of one another', async () => {
    const other = harness.client();
    instrument();
    stops.push(instrumentClient(other));
    await Promise.all([lastValueFrom(client.send('metadata', 1)), lastValueFrom(other.send('metadata', 2))]);
    expect(spans().map(({ name }) => name)).toHaveLength(4);
    const asked = exporter.getFinishedSpans().filter(({ name }) => name === 'send metadata');
    const handled = exporter.getFinishedSpans().filter(({ name }) => name === 'process metadata');
    expect(handled.map(({ parentSpanContext }) => parentSpanContext?.spanId).sort()).toEqual(
      asked.map((span) => span.spanContext().spanId).sort(),
    );
  });

  it('a span says how it ended: with what error, or that the caller cancelled', async () => {
    instrument();
    await outcome(client.send('nobody', 1));
    await firstValueFrom(client.send('count', 1).pipe(take(1)));
    await lastValueFrom(client.emit('told', 1));
    await eventually(() => spans().length === 5, 'the handlers have ended');
    expect(spans()).toEqual(
      expect.arrayContaining([
        { name: 'send nobody', outcome: 'failed', error: 'NO_SUBSCRIBERS' },
        { name: 'send count', outcome: 'cancelled', error: undefined },
        { name: 'process count', outcome: 'cancelled', error: undefined },
        { name: 'publish told', outcome: 'published', error: undefined },
        { name: 'process told', outcome: 'done', error: undefined },
      ]),
    );
  });

  it.each([
    ['numbers', { traceparent: 5, tracestate: 6, baggage: 7 }],
    ['objects', { traceparent: {}, tracestate: [1], baggage: { a: 1 } }],
    ['no trace', { traceparent: 'x'.repeat(1_000), tracestate: '=,=', baggage: ';;=' }],
    ['a number', 5],
    ['a string', 'traceparent'],
    ['nothing', null],
  ])(
    'metadata of a stranger that holds %s begins a trace of its own, and is handled',
    async (_what, metadata) => {
      instrument();
      const packet = { pattern: 'told', data: 1, metadata };
      await harness.redis().publish(`${harness.prefix}told`, JSON.stringify(packet));
      await eventually(() => spans().length === 1, 'it is handled');
      expect(spans()).toEqual([{ name: 'process told', outcome: 'done', error: undefined }]);
      expect(exporter.getFinishedSpans()[0]!.parentSpanContext).toBeUndefined();
    },
  );

  it('a trace that a stranger has begun goes on', async () => {
    instrument();
    const traceId = '0af7651916cd43dd8448eb211c80319c';
    const metadata = { traceparent: `00-${traceId}-b7ad6b7169203331-01` };
    const packet = { pattern: 'told', data: 1, metadata };
    await harness.redis().publish(`${harness.prefix}told`, JSON.stringify(packet));
    await eventually(() => spans().length === 1, 'it is handled');
    const [span] = exporter.getFinishedSpans();
    expect(span!.spanContext().traceId).toBe(traceId);
    expect(span!.parentSpanContext?.spanId).toBe('b7ad6b7169203331');
  });

  it('a message without a trace does not come under the one that opened the connection', async () => {
    const traces = new Signal<string | undefined>();
    const late = harness.newServer();
    addHandlers(late, { 'event:late': () => traces.resolve(trace.getActiveSpan()?.spanContext().traceId) });
    stops.push(instrumentServer(late));
    const opened = await trace.getTracer('test').startActiveSpan('start', async (span) => {
      await listen(late);
      span.end();
      return span.spanContext().traceId;
    });
    await lastValueFrom(client.emit('late', 1));
    const seen = await traces.promise;
    expect(seen).toBeDefined();
    expect(seen).not.toBe(opened);
  });
});

it('a client of Nest 11, which has no dispatch hook, is refused with what to do', () => {
  // One of ours, with all that Nest 12 has and Nest 11 has not taken away.
  const nest11 = new Proxy(harness.client(), {
    has: (target, key) => key !== 'setOnDispatchHook' && Reflect.has(target, key),
    get: (target, key) => (key === 'setOnDispatchHook' ? undefined : (Reflect.get(target, key) as unknown)),
  });
  expect(() => instrumentClient(nest11)).toThrow(
    expect.objectContaining({ code: 'INVALID_ARGUMENT', message: expect.stringContaining('Nest 12') }),
  );
});
