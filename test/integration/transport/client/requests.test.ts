import { beforeAll, describe, expect, it } from '@jest/globals';
import { firstValueFrom, from, lastValueFrom, Observable, of, take, toArray } from 'rxjs';
import { ClusterPubSubRecordBuilder, type ClusterPubSubContext } from '../../../../src/transport/index.js';
import type { ClusterPubSubClient } from '../../../../src/transport/index.js';
import { addHandlers, listen, outcome, transports } from '../../../support/transports.js';
import { Signal } from '../../../support/waiting.js';

const SYMBOL = Symbol('orders');
const harness = transports();
let client: ClusterPubSubClient;
const left = new Signal();

beforeAll(async () => {
  const server = harness.newServer();
  addHandlers(server, {
    sum: (numbers: number[]) => numbers.reduce((a, b) => a + b, 0),
    later: async (value: unknown) => Promise.resolve(value),
    echo: (value: unknown) => value,
    nothing: () => undefined,
    'nothing at all': () => null,
    stream: (count: number) => from(Array.from({ length: count }, (_, i) => i)),
    'promised stream': () => Promise.resolve(of(1, 2, 3)),
    'slow stream': () =>
      new Observable<number>((subscriber) => {
        let i = 0;
        const timer = setInterval(() => subscriber.next(i++), 5);
        return () => {
          clearInterval(timer);
          left.resolve();
        };
      }),
    context: (_data: unknown, context: ClusterPubSubContext) => ({
      channel: context.getChannel(),
      pattern: context.getPattern(),
      node: context.getNode(),
      headers: context.getHeaders(),
      message: context.getMessage(),
      requester: context.getRequester(),
    }),
    'wild.*': (data: unknown, context: ClusterPubSubContext) => [
      data,
      context.getChannel(),
      context.getPattern(),
    ],
    'literal\\*': () => 'literal',
  });
  server.addHandler({ cmd: 'add', version: { major: 1 } }, async () => 'object');
  server.addHandler(SYMBOL, async () => 'symbol');
  server.addHandler(42, async () => 'number');
  await listen(server);
  client = harness.client();
});

interface SeenContext {
  readonly message: { readonly id: string };
  readonly requester: string;
}

describe('the id of a request', () => {
  const ask = (one: ClusterPubSubClient) => lastValueFrom(one.send<SeenContext>('context', {}));

  it('is that of no other request, of this client, of another, or of this one after close()', async () => {
    const other = harness.client();
    const seen = [await ask(client), await ask(other), await ask(client), await ask(other)];
    await other.close();
    seen.push(await ask(other), await ask(other));
    const ids = seen.map(({ message }) => message.id);
    expect(new Set(ids).size).toBe(6);
    ids.forEach((id) => expect(id).toMatch(/^[\w-]{10}\.[0-9a-z]+$/));
  });

  it('begins with the identity of its client, by which the handler knows it', async () => {
    const other = harness.client();
    const [first, second, foreign] = [await ask(client), await ask(client), await ask(other)];
    expect(second.requester).toBe(first.requester);
    expect(foreign.requester).not.toBe(first.requester);
    for (const { requester, message } of [first, second, foreign]) {
      expect(message.id.startsWith(`${requester}.`)).toBe(true);
    }
  });
});

describe('a request', () => {
  it('gets its answer', async () => {
    expect(await lastValueFrom(client.send('sum', [1, 2, 3]))).toBe(6);
    expect(await lastValueFrom(client.send('later', 'promised'))).toBe('promised');
  });

  it('gets its own answer, with many on the way at once', async () => {
    const answers = await Promise.all(
      Array.from({ length: 500 }, (_, i) => lastValueFrom(client.send('echo', i + 1))),
    );
    expect(answers).toEqual(Array.from({ length: 500 }, (_, i) => i + 1));
  });

  it.each([
    ['an object, whatever the order of its keys', { version: { major: 1 }, cmd: 'add' }, 'object'],
    ['a symbol', SYMBOL, 'symbol'],
    ['a number', 42, 'number'],
    ['a name with an escaped special', 'literal*', 'literal'],
  ])('finds its handler by %s', async (_name, pattern, answer) => {
    expect(await lastValueFrom(client.send(pattern, 1))).toBe(answer);
  });

  it.each([
    ['Unicode', 'Zürich 🚀 ﷽ \u0000 \u2028'],
    ['false', false],
    ['zero', 0],
    ['an empty text', ''],
    ['nested null', { a: null, b: [null] }],
    ['half a megabyte', 'ü'.repeat(250_000)],
    ['a key of ours', { _cps: { r: 'x' }, packet: 1, data: { pattern: 1 } }],
  ])('brings %s there and back', async (_name, value) => {
    expect(await lastValueFrom(client.send('echo', value))).toEqual(value);
  });

  it.each([0, 1, 10, 700_000])('carries a Buffer of %d bytes there and back unchanged', async (length) => {
    const bytes = Buffer.from(Array.from({ length }, (_, i) => (i * 7) % 256));
    const answer: unknown = await lastValueFrom(client.send('echo', bytes));
    expect(Buffer.isBuffer(answer)).toBe(true);
    expect(bytes.equals(answer as Buffer)).toBe(true);
  });

  it('completes without a value for undefined, and with null for null, as with Nest', async () => {
    expect(await outcome(client.send('nothing', 1))).toEqual({ values: [] });
    expect(await outcome(client.send('nothing at all', 1))).toEqual({ values: [null] });
  });

  it('refuses to send nothing, as Nest does', async () => {
    const { error } = await outcome(client.send('echo', undefined));
    expect(error).toBeInstanceOf(Error);
  });

  it('is made anew with every subscription to its Observable', async () => {
    const request = client.send<number>('sum', [1, 2]);
    expect(await lastValueFrom(request)).toBe(3);
    expect(await lastValueFrom(request)).toBe(3);
  });

  it('passes its origin to its handler', async () => {
    const record = new ClusterPubSubRecordBuilder('data').setHeaders({ tenant: 'acme' }).build();
    const context = await lastValueFrom(client.send<Record<string, unknown>>('context', record));
    expect(context).toMatchObject({
      channel: `${harness.prefix}context`,
      pattern: 'context',
      headers: { tenant: 'acme' },
      message: { pattern: 'context', data: 'data' },
    });
    expect(context.node).toMatch(/^127\.0\.0\.1:\d+$/);
    expect(await lastValueFrom(client.send<Record<string, unknown>>('context', 1))).toMatchObject({
      headers: {},
    });
  });

  it('reaches a wildcard handler where there is no exact one', async () => {
    expect(await lastValueFrom(client.send('wild.card', 7))).toEqual([
      7,
      `${harness.prefix}wild.card`,
      'wild.*',
    ]);
  });
});

describe('a stream', () => {
  it('arrives whole and in order', async () => {
    const values = await lastValueFrom(client.send<number>('stream', 2000).pipe(toArray()));
    expect(values).toEqual(Array.from({ length: 2000 }, (_, i) => i));
  });

  it('of no values completes', async () => {
    expect(await outcome(client.send('stream', 0))).toEqual({ values: [] });
  });

  it('that a handler promises arrives too', async () => {
    expect(await outcome(client.send('promised stream', 1))).toEqual({ values: [1, 2, 3] });
  });

  it('that is unsubscribed from is stopped at the server', async () => {
    expect(await firstValueFrom(client.send('slow stream', 1).pipe(take(3), toArray()))).toEqual([0, 1, 2]);
    await left.promise;
  });
});
