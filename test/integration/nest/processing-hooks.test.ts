import { describe, expect, it } from '@jest/globals';
import { RpcException } from '@nestjs/microservices';
import { AsyncLocalStorage } from 'node:async_hooks';
import { concat, EMPTY, interval, lastValueFrom, of, Subject, take, tap, throwError } from 'rxjs';
import {
  CLUSTER_PUBSUB_TRANSPORT,
  ClusterPubSubContext,
  type ClusterPubSubServer,
} from '../../../src/transport/index.js';
import { addHandlers, type Handlers, listen, logged, outcome, transports } from '../../support/transports.js';
import { eventually, Signal } from '../../support/waiting.js';

const harness = transports();

/** What the hooks of a server saw, by the pattern of the handler. */
class Spans {
  readonly starts: string[] = [];
  readonly ends: string[] = [];
  readonly contexts = new Set<unknown>();
  #ended = new Signal();

  constructor(server: ClusterPubSubServer) {
    server.setOnProcessingStartHook((transportId, context, done) => {
      expect(transportId).toBe(CLUSTER_PUBSUB_TRANSPORT);
      this.contexts.add(context);
      this.starts.push(patternOf(context));
      void done();
    });
    server.setOnProcessingEndHook((transportId, context) => {
      expect(transportId).toBe(CLUSTER_PUBSUB_TRANSPORT);
      expect(this.contexts.has(context)).toBe(true);
      this.ends.push(patternOf(context));
      this.#ended.resolve();
      this.#ended = new Signal();
    });
  }

  get nextEnd(): Promise<void> {
    return this.#ended.promise;
  }
}

function patternOf(context: unknown): string {
  expect(context).toBeInstanceOf(ClusterPubSubContext);
  return (context as ClusterPubSubContext).getPattern();
}

async function serverWithSpans(handlers: Handlers): Promise<Spans> {
  const server = harness.newServer();
  addHandlers(server, { ...handlers, fence: () => 'fence' });
  const spans = new Spans(server);
  await listen(server);
  return spans;
}

describe('the processing hooks run exactly once, start and end,', () => {
  it.each<[string, () => unknown]>([
    ['a value', () => 1],
    ['a promise', async () => 1],
    ['nothing', () => undefined],
    ['a stream of several values', () => of(1, 2, 3)],
    ['a promised stream', async () => of(1, 2, 3)],
    ['a stream of no values', () => EMPTY],
    [
      'a stream that fails after some values',
      () =>
        concat(
          of(1),
          throwError(() => ({ code: 'X' })),
        ),
    ],
    ['a stream that takes its time', () => interval(5).pipe(take(3))],
    ['a rejection', async () => Promise.reject(new Error('outside of any filter'))],
    ['a rejection with an RpcException', async () => Promise.reject(new RpcException({ code: 'X' }))],
    [
      'a throw',
      () => {
        throw new Error('outside of any filter');
      },
    ],
  ])('for %s', async (_name, handler) => {
    const spans = await serverWithSpans({ ask: handler, 'event:told': handler });
    const client = harness.client();
    await outcome(client.send('ask', {}));
    await eventually(() => spans.ends.length > 0, 'the end hook of the request runs');

    const ended = spans.nextEnd;
    await outcome(client.emit('told', {}));
    await ended;

    // What ran a second time would have done so before the answer to a later request.
    await outcome(client.send('fence', {}));
    await eventually(() => spans.ends.length >= 3, 'the end hook of the fence runs');
    expect(spans.starts).toEqual(['ask', 'told', 'fence']);
    expect(spans.ends).toEqual(['ask', 'told', 'fence']);
    expect(spans.contexts.size).toBe(3);
  });

  it('for a stream that the requester unsubscribes from', async () => {
    const spans = await serverWithSpans({ ask: () => interval(5) });
    const client = harness.client();
    const ended = spans.nextEnd;
    await lastValueFrom(client.send('ask', {}).pipe(take(2)));
    await ended;
    await outcome(client.send('fence', {}));
    await eventually(() => spans.ends.length >= 2, 'the end hook of the fence runs');
    expect(spans.ends).toEqual(['ask', 'fence']);
  });

  it('for what close() cuts short, and no more afterwards', async () => {
    const server = harness.newServer({ shutdownGracePeriod: 0 });
    const running = new Signal();
    addHandlers(server, {
      ask: () => {
        running.resolve();
        return interval(5);
      },
    });
    const spans = new Spans(server);
    await listen(server);
    const asked = outcome(harness.client().send('ask', {}));
    await running.promise;
    await server.close();
    expect(spans.starts).toEqual(['ask']);
    expect(spans.ends).toEqual(['ask']);
    expect((await asked).error).toBeDefined();
  });
});

describe('the end hook', () => {
  it('waits for the end of a stream', async () => {
    const order: string[] = [];
    const stream = new Subject<number>();
    const server = harness.newServer();
    addHandlers(server, { ask: () => stream });
    server.setOnProcessingEndHook(() => order.push('end'));
    await listen(server);
    const client = harness.client();
    const answer = client.send<number>('ask', {}).pipe(tap((value) => order.push(`value ${value}`)));
    const over = lastValueFrom(answer);
    await eventually(() => stream.observed, 'the stream is followed');
    stream.next(1);
    await eventually(() => order.length === 1, 'the value arrives');
    stream.complete();
    await over;
    expect(order).toEqual(['value 1', 'end']);
  });

  it('that throws is logged, and the answer goes out all the same', async () => {
    const server = harness.newServer();
    addHandlers(server, { ask: () => 1 });
    server.setOnProcessingEndHook(() => {
      throw new Error('the tracer is broken');
    });
    await listen(server);
    expect(await outcome(harness.client().send('ask', {}))).toEqual({ values: [1] });
    expect(logged.join()).toContain('the tracer is broken');
  });
});

describe('the start hook', () => {
  it('holds the handler back until it calls done, for requests and for events', async () => {
    const calls: string[] = [];
    const waiting: (() => unknown)[] = [];
    const server = harness.newServer();
    addHandlers(server, { ask: () => calls.push('ask'), 'event:told': () => calls.push('told') });
    server.setOnProcessingStartHook((_transportId, _context, done) => {
      waiting.push(done);
    });
    await listen(server);
    const client = harness.client();
    const answer = outcome(client.send('ask', {}));
    await outcome(client.emit('told', {}));
    await eventually(() => waiting.length === 2, 'both wait');
    expect(calls).toEqual([]);

    waiting.forEach((done) => done());
    expect((await answer).values).toHaveLength(1);
    await eventually(() => calls.length === 2, 'both ran');
    waiting.forEach((done) => done());
    await outcome(client.send('nobody', {}));
    expect([...calls].sort()).toEqual(['ask', 'told']);
  });

  it('can wrap the handler in a context of its own, as tracers do', async () => {
    const storage = new AsyncLocalStorage<string>();
    const server = harness.newServer();
    const told = new Signal<string | undefined>();
    addHandlers(server, {
      ask: async () => Promise.resolve(storage.getStore()),
      'event:told': () => told.resolve(storage.getStore()),
    });
    server.setOnProcessingStartHook((_transportId, context, done) => {
      void storage.run(`span of ${patternOf(context)}`, done);
    });
    await listen(server);
    const client = harness.client();
    expect(await outcome(client.send('ask', {}))).toEqual({ values: ['span of ask'] });
    await outcome(client.emit('told', {}));
    expect(await told.promise).toBe('span of told');
  });

  it('that fails before done: the requester gets an error instead of a timeout', async () => {
    const server = harness.newServer();
    addHandlers(server, { ask: () => 1 });
    server.setOnProcessingStartHook(() => {
      throw new Error('the tracer is broken');
    });
    await listen(server);
    expect(await outcome(harness.client().send('ask', {}))).toEqual({
      values: [],
      error: { status: 'error', message: 'Internal server error' },
    });
  });
});
