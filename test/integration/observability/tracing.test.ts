import { afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { trace } from '@opentelemetry/api';
import { InMemorySpanExporter, NodeTracerProvider, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-node';
import { firstValueFrom, interval, lastValueFrom, take } from 'rxjs';
import { instrumentClient, instrumentServer } from '../../../src/opentelemetry/index.js';
import type {
  ClusterPubSubClient,
  ClusterPubSubContext,
  ClusterPubSubServer,
} from '../../../src/transport/index.js';
import { eventually } from '../../support/eventually.js';
import { sharedCluster } from '../../support/shared-cluster.js';
import { addHandlers, Harness, listen, outcome, Signal } from '../transport/harness.js';

const harness = new Harness(sharedCluster());
const exporter = new InMemorySpanExporter();
const stops: (() => void)[] = [];
let server: ClusterPubSubServer;
let client: ClusterPubSubClient;

beforeEach(async () => {
  server = harness.newServer();
  addHandlers(server, {
    metadata: (_data, context) => context.getMetadata() ?? null,
    count: () => interval(1),
    'event:told': () => undefined,
  });
  await listen(server);
  client = harness.client();
});

afterEach(async () => {
  stops.splice(0).forEach((stop) => stop());
  await harness.close();
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

  it('a span says how it ended: with what error, or that the asker left', async () => {
    instrument();
    await outcome(client.send('nobody', 1));
    await firstValueFrom(client.send('count', 1).pipe(take(1)));
    await lastValueFrom(client.emit('told', 1));
    await eventually(() => spans().length === 5, 'the handlers have ended');
    expect(spans()).toEqual(
      expect.arrayContaining([
        { name: 'send nobody', outcome: 'failed', error: 'NO_SUBSCRIBERS' },
        { name: 'send count', outcome: 'left', error: undefined },
        { name: 'process count', outcome: 'left', error: undefined },
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
  const nest11 = Object.create(null) as ClusterPubSubClient;
  expect(() => instrumentClient(nest11)).toThrow(
    expect.objectContaining({ code: 'INVALID_ARGUMENT', message: expect.stringContaining('Nest 12') }),
  );
});
