import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals';
import { filter, firstValueFrom, lastValueFrom, Observable } from 'rxjs';
import { type LocalCluster, startLocalCluster } from '../../../src/testing/index.js';
import { Harness, outcome, Signal } from './harness.js';

let cluster: LocalCluster;
let harness: Harness;

beforeAll(async () => {
  cluster = await startLocalCluster({ masters: 3, replicas: 0 });
  harness = new Harness(cluster.nodes);
});
afterEach(() => harness.close());
afterAll(() => cluster.stop());

/** Drops every subscriber connection of the cluster, as a proxy or a network does. */
async function dropSubscribers(): Promise<void> {
  for (const index of cluster.nodes.keys()) {
    await harness.redis(index).client('KILL', 'TYPE', 'PUBSUB');
  }
}

/** Drops the subscriber connections that are there now, and spares those that come. */
async function subscribersNow(): Promise<() => Promise<void>> {
  const found = await Promise.all(
    [...cluster.nodes.keys()].map(async (index) => {
      const redis = harness.redis(index);
      const list = (await redis.client('LIST', 'TYPE', 'PUBSUB')) as string;
      return [...list.matchAll(/^id=(\d+)/gm)].map(
        ([, id]) =>
          () =>
            redis.client('KILL', 'ID', id!),
      );
    }),
  );
  return async () => {
    await Promise.all(found.flat().map((kill) => kill()));
  };
}

it('a request whose inbox is lost fails at once, its handler is stopped, and the next one works', async () => {
  const [running, left] = [new Signal(), new Signal()];
  const server = await harness.server({
    endless: () =>
      new Observable(() => {
        running.resolve();
        return () => left.resolve();
      }),
    ping: () => 'pong',
  });
  const client = harness.client();
  const request = outcome(client.send('endless', 1));
  await running.promise;
  await dropSubscribers();
  expect(await request).toMatchObject({ error: { code: 'GAP' } });
  await left.promise;
  await firstValueFrom(server.status.pipe(filter((status) => status === 'connected')));
  expect(await lastValueFrom(client.send('ping', 1))).toBe('pong');
});

it('a request made while the inbox is lost waits until it stands again', async () => {
  const client = harness.client();
  expect(await outcome(client.send('ping', 1))).toMatchObject({ error: { code: 'NO_SUBSCRIBERS' } });
  const dropInbox = await subscribersNow();
  await harness.server({ ping: () => 'pong' });
  const lost = new Signal();
  client.on('lost', () => lost.resolve());
  await dropInbox();
  await lost.promise;
  expect(await outcome(client.send('ping', 1))).toEqual({ values: ['pong'] });
});
