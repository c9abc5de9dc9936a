import { beforeAll, describe, expect, it } from '@jest/globals';
import { RpcException } from '@nestjs/microservices';
import { firstValueFrom, NEVER, Observable, of, throwError } from 'rxjs';
import { ClusterPubSubRecordBuilder } from '../../../../src/transport/index.js';
import { logged, outcome, transports } from '../../../support/transports.js';
import { Signal } from '../../../support/waiting.js';

const NO_HANDLER = 'There is no matching message handler defined in the remote service.';
const MASKED = { status: 'error', message: 'Internal server error' };

describe('a request that no server handles', () => {
  const harness = transports();

  it('fails at once, with what to do about it', async () => {
    const { error } = await outcome(harness.client().send('nobody', 1));
    expect(error).toMatchObject({ code: 'NO_SUBSCRIBERS', pattern: 'nobody' });
  });

  it('does not fail when a wildcard handler handles it', async () => {
    await harness.server({ 'any.*': () => 'served' });
    expect(await outcome(harness.client().send('any.thing', 1))).toEqual({ values: ['served'] });
    expect(await outcome(harness.client().send('other', 1))).toMatchObject({
      error: { code: 'NO_SUBSCRIBERS' },
    });
  });

  it('fails at once although wildcard event handlers listen to everything', async () => {
    const seen: unknown[] = [];
    const logger = { 'event:*': (data: unknown) => seen.push(data) };
    await Promise.all([harness.server(logger), harness.server(logger), harness.server(logger)]);
    const { error } = await outcome(harness.client().send('nobody', 1));
    expect(error).toMatchObject({ code: 'NO_SUBSCRIBERS' });
    expect(seen).toEqual([]);
  });

  it('fails as with Nest where event handlers alone have the pattern', async () => {
    const events = { 'event:order': () => undefined };
    await Promise.all([harness.server(events), harness.server(events), harness.server(events)]);
    expect(await outcome(harness.client().send('order', 1))).toEqual({ values: [], error: NO_HANDLER });
  });

  it('is answered by the one server that has a handler, among many that have none', async () => {
    const events = { 'event:order': () => undefined };
    await Promise.all([
      harness.server(events),
      harness.server({ order: () => Promise.resolve('ordered') }),
      harness.server(events),
    ]);
    expect(await outcome(harness.client().send('order', 1))).toEqual({ values: ['ordered'] });
  });

  it('is answered by a wildcard handler where event handlers alone have the exact pattern', async () => {
    await Promise.all([
      harness.server({ 'event:order.created': () => undefined, 'event:*': () => undefined }),
      harness.server({ 'order.*': () => 'wild' }),
    ]);
    expect(await outcome(harness.client().send('order.created', 1))).toEqual({ values: ['wild'] });
  });

  it('is answered once by a server with several handlers that match', async () => {
    let calls = 0;
    const count = (): number => ++calls;
    await harness.server({ 'a.*': count, '*.b': count, '*': count });
    expect(await outcome(harness.client().send('a.b', 1))).toEqual({ values: [1] });
    expect(calls).toBe(1);
  });
});

describe('a handler that fails', () => {
  const harness = transports();
  beforeAll(() =>
    harness.server({
      throws: () => {
        throw new Error('secret');
      },
      'throws an exception': () => {
        throw new RpcException({ code: 7 });
      },
      'throws a value': () => {
        // eslint-disable-next-line @typescript-eslint/only-throw-error
        throw 'secret';
      },
      stream: () =>
        new Observable((subscriber) => {
          subscriber.next(1);
          subscriber.error({ status: 'error', message: 'told' });
        }),
      'stream with an Error': () => throwError(() => new Error('secret')),
      'stream with nothing': () => throwError(() => undefined),
      unserializable: () => 1n,
      huge: () => 'x'.repeat(2_000_000),
      'huge stream': () => of('small', 'x'.repeat(2_000_000), 'small again'),
    }),
  );

  it.each([
    ['throws', MASKED],
    ['throws an exception', { code: 7 }],
    ['throws a value', MASKED],
    ['stream with an Error', MASKED],
    ['stream with nothing', MASKED],
    ['unserializable', MASKED],
  ])('answers: %s', async (pattern, error) => {
    expect(await outcome(harness.client().send(pattern, 1))).toEqual({ values: [], error });
  });

  it('logs what it does not report to the requester', async () => {
    await outcome(harness.client().send('throws', 1));
    expect(logged.join('\n')).toContain('secret');
  });

  it('answers with the error of a stream, after its values', async () => {
    expect(await outcome(harness.client().send('stream', 1))).toEqual({
      values: [1],
      error: { status: 'error', message: 'told' },
    });
  });

  it.each([
    ['huge', []],
    ['huge stream', ['small']],
  ])('tells the asker when its answer is too large: %s', async (pattern, values) => {
    const { error, values: got } = await outcome(harness.client().send(pattern, 1));
    expect(got).toEqual(values);
    expect(error).toMatchObject({ status: 'error', message: expect.stringContaining('maxPayload') });
  });
});

describe('a request without an answer', () => {
  const harness = transports();
  const left = new Signal();
  beforeAll(() =>
    harness.server({
      never: () => new Observable(() => () => left.resolve()),
      hangs: () => new Promise(() => undefined),
      'one value': () =>
        new Observable((subscriber) => {
          subscriber.next(1);
        }),
    }),
  );

  it('fails when its time is over, and its handler is stopped', async () => {
    // Long enough for a busy machine to connect and to start the handler.
    const { error } = await outcome(harness.client({ requestTimeout: 1_000 }).send('never', 1));
    expect(error).toMatchObject({ code: 'REQUEST_TIMEOUT', pattern: 'never', timeout: 1_000 });
    await left.promise;
  });

  it('has the time its record says, rather than that of the client', async () => {
    const record = new ClusterPubSubRecordBuilder(1).setTimeout(50).build();
    const { error } = await outcome(harness.client().send('hangs', record));
    expect(error).toMatchObject({ code: 'REQUEST_TIMEOUT', timeout: 50 });
  });

  it('fails too when it is a stream that falls silent', async () => {
    const { values, error } = await outcome(harness.client({ requestTimeout: 1_000 }).send('one value', 1));
    expect(values).toEqual([1]);
    expect(error).toMatchObject({ code: 'REQUEST_TIMEOUT' });
  });

  it('fails when its client is closed', async () => {
    const client = harness.client();
    await client.connect();
    const pending = [outcome(client.send('hangs', 1)), outcome(client.send('hangs', 2))];
    await firstValueFrom(client.send('one value', 1));
    await client.close();
    for (const { error } of await Promise.all(pending)) {
      expect(error).toMatchObject({ code: 'CLOSED' });
    }
  });

  it('stops its handler once the requester is gone without a signal', async () => {
    const running = new Signal();
    const stopped = new Signal();
    await harness.server({
      ticker: () =>
        new Observable((subscriber) => {
          const timer = setInterval(() => subscriber.next(1), 5);
          running.resolve();
          return () => {
            clearInterval(timer);
            stopped.resolve();
          };
        }),
    });
    const client = harness.client();
    const request = outcome(client.send('ticker', 1));
    await running.promise;
    // The engine alone: no cancel is sent, as when the process dies.
    await client.unwrap().close();
    await stopped.promise;
    await client.close();
    expect(await request).toMatchObject({ error: { code: 'CLOSED' } });
  });
});

describe('a request that is too large', () => {
  const harness = transports();
  let calls = 0;
  beforeAll(() => harness.server({ count: () => ++calls, 'event:count': () => ++calls }));

  it('is refused at the sender, by the size of what would be sent', async () => {
    const client = harness.client({ maxPayload: 1000 });
    const error = { code: 'PAYLOAD_TOO_LARGE', limit: 1000 };
    expect(await outcome(client.send('count', 'ü'.repeat(500)))).toMatchObject({ error });
    expect(await outcome(client.send('count', Buffer.alloc(1000)))).toMatchObject({ error });
    expect(await outcome(client.emit('count', 'ü'.repeat(500)))).toMatchObject({ error });
    expect(calls).toBe(0);
    expect(await outcome(client.send('count', 'small'))).toEqual({ values: [1] });
  });
});

describe('a request that is cancelled early', () => {
  const harness = transports();

  it('is never published when its inbox is not active yet', async () => {
    const got: unknown[] = [];
    await harness.server({ 'q*': (data: unknown) => got.push(data), q: (data: unknown) => got.push(data) });
    const client = harness.client();
    await client.connect();
    // Its first request: the inbox is being subscribed.
    client.send('q', 'left').subscribe().unsubscribe();
    const early = client.send('q', 'left').subscribe();
    await Promise.resolve();
    early.unsubscribe();
    expect(await outcome(client.send('q', 'kept'))).toEqual({ values: [1] });
    expect(got).toEqual(['kept']);
  });

  it('leaves nothing behind', async () => {
    await harness.server({ q: () => NEVER });
    const client = harness.client();
    await client.connect();
    const subscriptions = Array.from({ length: 50 }, () => client.send('q', 1).subscribe());
    await new Promise((resolve) => setImmediate(resolve));
    subscriptions.forEach((subscription) => subscription.unsubscribe());
    expect(client.metrics()).toMatchObject({ cancelled: 50, inFlight: 0 });
  });
});
