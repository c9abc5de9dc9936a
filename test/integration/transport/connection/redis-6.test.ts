import { describe, expect, it } from '@jest/globals';
import { lastValueFrom, NEVER, Observable, of } from 'rxjs';
import { ownCluster, withoutSharded } from '../../../support/own-cluster.js';
import { logged, outcome, transports } from '../../../support/transports.js';
import { Signal } from '../../../support/waiting.js';

/** A cluster without sharded pub/sub, the difference between Redis 6 and 7 here. */
const cluster = ownCluster({
  masters: 3,
  replicas: 0,
  config: withoutSharded,
});
const harness = transports(cluster);

describe('on a cluster without sharded pub/sub', () => {
  it('requests get their answers, from exact and from wildcard handlers', async () => {
    await harness.server({
      sum: (n: number[]) => n[0]! + n[1]!,
      stream: () => of(1, 2),
      'wild.*': () => 'wild',
    });
    const client = harness.client();
    expect(await lastValueFrom(client.send('sum', [1, 2]))).toBe(3);
    expect(await outcome(client.send('stream', 1))).toEqual({ values: [1, 2] });
    expect(await lastValueFrom(client.send('wild.card', 1))).toBe('wild');
  });

  it('every request is handled once, though it may be published twice', async () => {
    let calls = 0;
    await harness.server({ 'count.*': () => ++calls });
    const client = harness.client();
    for (let i = 1; i <= 30; i++) {
      expect(await outcome(client.send(`count.${i}`, 1))).toEqual({ values: [i] });
    }
  });

  it('a request without a handler fails at once', async () => {
    expect(await outcome(harness.client().send('nobody', 1))).toMatchObject({
      error: { code: 'NO_SUBSCRIBERS' },
    });
  });

  it('a stream is stopped when its requester unsubscribes', async () => {
    const [running, left] = [new Signal(), new Signal()];
    await harness.server({
      endless: () =>
        new Observable(() => {
          running.resolve();
          return () => left.resolve();
        }),
      never: () => NEVER,
    });
    const subscription = harness.client().send('endless', 1).subscribe();
    await running.promise;
    subscription.unsubscribe();
    await left.promise;
  });

  it('a reply reaches no wildcard handler', async () => {
    const seen: unknown[] = [];
    await harness.server({ 'event:*': (data: unknown) => seen.push(data), a: () => 'answer' });
    const client = harness.client();
    expect(await outcome(client.send('a', 1))).toEqual({ values: ['answer'] });
    expect(seen).toEqual([]);
  });

  it('sharded events fall back to classic ones, with a warning at both ends', async () => {
    const got = new Signal<unknown>();
    const server = harness.newServer();
    server.addHandler('e', async (data) => got.resolve(data), true, { mode: 'sharded' });
    await new Promise<void>((resolve) => void server.listen(() => resolve()));
    await lastValueFrom(harness.client({ mode: 'sharded' }).emit('e', 'event'));
    expect(await got.promise).toBe('event');
    expect(logged.filter((line) => line.includes('Redis 7.0'))).toHaveLength(2);
  });
});
