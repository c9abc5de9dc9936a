import { describe, expect, it } from '@jest/globals';
import { filter, firstValueFrom, lastValueFrom, Observable } from 'rxjs';
import type { ClusterPubSubClient, ClusterPubSubOptions } from '../../../../src/transport/index.js';
import { ownCluster } from '../../../support/own-cluster.js';
import { logged, outcome, transports } from '../../../support/transports.js';
import { eventually, Signal } from '../../../support/waiting.js';

const cluster = ownCluster({ masters: 3, replicas: 0 });
const harness = transports(cluster);

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

it('a request made while the inbox is lost waits until it is active again', async () => {
  const client = harness.client();
  expect(await outcome(client.send('ping', 1))).toMatchObject({ error: { code: 'NO_SUBSCRIBERS' } });
  const dropInbox = await subscribersNow();
  await harness.server({ ping: () => 'pong' });
  const lost = new Signal();
  client.on('interrupted', () => lost.resolve());
  await dropInbox();
  await lost.promise;
  expect(await outcome(client.send('ping', 1))).toEqual({ values: ['pong'] });
});

it('replies that cannot be delivered are one line in the log, however many handlers they come from', async () => {
  const names = Array.from({ length: 10 }, (_, index) => `slow-${String(index)}`);
  const done = new Signal();
  const handlers = Object.fromEntries(names.map((name) => [name, () => done.promise]));
  const server = await harness.server(handlers, { commandTimeout: 300 });
  const client = harness.client();
  const requests = names.map((name) => outcome(client.send(name, 1)));
  await eventually(() => server.metrics().running === names.length, 'all run');
  logged.length = 0;
  await Promise.all(cluster.nodes.map((node) => cluster.pause(node)));
  try {
    done.resolve();
    await eventually(() => server.metrics().running === 0, 'all answers are given up');
    expect(logged.filter((line) => line.startsWith('Failed to send response'))).toHaveLength(1);
  } finally {
    await Promise.all(cluster.nodes.map((node) => cluster.resume(node)));
  }
  await client.close();
  await Promise.all(requests);
});

describe('requests made while their node is away', () => {
  /** A client whose inbox has just been lost, for the cluster hangs. */
  async function cutOff(options: Partial<ClusterPubSubOptions>): Promise<ClusterPubSubClient> {
    await harness.server({ ping: () => 'pong' });
    const client = harness.client({ probeInterval: 100, probeTimeout: 100, ...options });
    expect(await outcome(client.send('ping', 1))).toEqual({ values: ['pong'] });
    const lost = new Signal();
    client.on('interrupted', () => lost.resolve());
    await Promise.all(cluster.nodes.map((node) => cluster.pause(node)));
    await lost.promise;
    return client;
  }

  it('wait as long as messages do, then fail as not delivered, long before their own timeout', async () => {
    const client = await cutOff({ commandTimeout: 300, requestTimeout: 60_000 });
    const requests = [outcome(client.send('ping', 1)), outcome(client.send('ping', 2))];
    await new Promise(setImmediate); // they are encoded in a step of their own
    expect(client.metrics().pubsub).toMatchObject({ waiting: 2 });
    for (const request of requests) {
      expect(await request).toMatchObject({ error: { code: 'PUBLISH_FAILED', outcome: 'not-delivered' } });
    }
    expect(client.metrics()).toMatchObject({ inFlight: 0, pubsub: { waiting: 0 } });
  });

  it('are rejected beyond the limit of the queue', async () => {
    const client = await cutOff({ commandTimeout: 300, maxQueuedMessages: 2 });
    const requests = [1, 2, 3].map((data) => outcome(client.send('ping', data)));
    const failed = await Promise.all(requests);
    expect(failed.map(({ error }) => (error as { code: string }).code)).toEqual([
      'PUBLISH_FAILED',
      'PUBLISH_FAILED',
      'QUEUE_FULL',
    ]);
  });

  it('drop the oldest if the options say so', async () => {
    const client = await cutOff({ commandTimeout: 300, maxQueuedMessages: 1, onOverflow: 'drop-oldest' });
    const [oldest, newest] = [outcome(client.send('ping', 1)), outcome(client.send('ping', 2))];
    expect(await oldest).toMatchObject({ error: { code: 'QUEUE_FULL' } });
    expect(await newest).toMatchObject({ error: { code: 'PUBLISH_FAILED' } });
  });

  it('report on their own timeout that no handler received them', async () => {
    const client = await cutOff({ commandTimeout: 60_000, requestTimeout: 200 });
    expect(await outcome(client.send('ping', 1))).toMatchObject({
      error: { code: 'REQUEST_TIMEOUT', sent: false },
    });
  });
});
