import { afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { ClientRedis, ServerRedis } from '@nestjs/microservices';
import { lastValueFrom, of, toArray } from 'rxjs';
import { sharedCluster } from '../../../support/shared-cluster.js';
import { outcome, transports } from '../../../support/transports.js';
import { Signal } from '../../../support/waiting.js';

const harness = transports();
const stockClients: ClientRedis[] = [];

/** Nest's own client, pointed at one node of the cluster. */
function stock(index: number): ClientRedis {
  const { host, port } = sharedCluster()[index] as { host: string; port: number };
  const client = new ClientRedis({ host, port });
  stockClients.push(client);
  return client;
}

const named = (pattern: string): string => harness.prefix + pattern;
const got = new Signal<unknown>();

beforeAll(async () => {
  await harness.server({
    sum: (numbers: number[]) => numbers.reduce((a, b) => a + b, 0),
    stream: () => of(1, 2, 3),
    fails: () => {
      throw new Error('secret');
    },
    bytes: () => Buffer.from([1, 2]),
    'wild.*': (data: unknown) => [data, 'wild'],
    'wild.exact': () => 'exact',
    'event:only': () => undefined,
    'event:noted': (data: unknown) => got.resolve(data),
  });
});
afterEach(() => Promise.all(stockClients.splice(0).map((client) => client.close())));

describe('a stock Nest Redis client', () => {
  it.each(sharedCluster().map((_, index) => index))(
    'gets its answers, connected to node %d',
    async (index) => {
      const client = stock(index);
      expect(await lastValueFrom(client.send(named('sum'), [1, 2, 3]))).toBe(6);
      expect(await lastValueFrom(client.send(named('stream'), 1).pipe(toArray()))).toEqual([1, 2, 3]);
      expect(await lastValueFrom(client.send(named('wild.card'), 7))).toEqual([7, 'wild']);
    },
  );

  it('gets one answer where an exact and a wildcard handler match', async () => {
    expect(await outcome(stock(0).send(named('wild.exact'), 1))).toEqual({ values: ['exact'] });
  });

  it('gets errors, and bytes in the form it knows', async () => {
    const client = stock(0);
    expect(await outcome(client.send(named('fails'), 1))).toEqual({
      values: [],
      error: { status: 'error', message: 'Internal server error' },
    });
    expect(await lastValueFrom(client.send(named('bytes'), 1))).toEqual({ type: 'Buffer', data: [1, 2] });
  });

  it('gets an error where there is only an event handler', async () => {
    expect(await outcome(stock(0).send(named('only'), 1))).toEqual({
      values: [],
      error: 'There is no matching message handler defined in the remote service.',
    });
  });

  it('reaches event handlers', async () => {
    await lastValueFrom(stock(1).emit(named('noted'), { id: 7 }), { defaultValue: undefined });
    expect(await got.promise).toEqual({ id: 7 });
  });
});

it('a stock Nest Redis server gets the events of our client', async () => {
  const { host, port } = sharedCluster()[2] as { host: string; port: number };
  const server = new ServerRedis({ host, port });
  const event = new Signal<unknown>();
  server.addHandler(named('noted'), async (data) => event.resolve(data), true);
  await new Promise<void>((resolve) => void server.listen(() => resolve()));
  try {
    // Its listen() does not wait for the subscription: a PING after it on the same connection would.
    const client = harness.client();
    for (let i = 0; i < 50; i++) {
      await lastValueFrom(client.emit('noted', { id: 7 }));
    }
    expect(await event.promise).toEqual({ id: 7 });
  } finally {
    await server.close();
  }
});
