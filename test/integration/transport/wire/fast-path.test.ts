import { AsyncLocalStorage } from 'node:async_hooks';
import { beforeAll, describe, expect, it } from '@jest/globals';
import type { ReadPacket } from '@nestjs/microservices';
import { catchError, lastValueFrom, of, type Subscription, switchMap, tap } from 'rxjs';
import type { ClusterPubSubClient } from '../../../../src/transport/index.js';
import { transports } from '../../../support/transports.js';

/** `send` and `emit` are our own, not Nest's: what can be seen of Nest's must be seen of them. */
const harness = transports();
const asked: unknown[] = [];
let client: ClusterPubSubClient;

beforeAll(async () => {
  await harness.server({
    ask: (data: unknown) => {
      asked.push(data);
      return data;
    },
    'event:told': () => undefined,
  });
  client = harness.client();
  await client.connect();
  await lastValueFrom(client.send('ask', 'warm'));
});

describe('a request', () => {
  it('is not made before somebody subscribes, and anew for each who does', async () => {
    const request = client.send('ask', 'cold');
    await lastValueFrom(client.send('ask', 'between'));
    expect(asked).not.toContain('cold');
    expect(await lastValueFrom(request)).toBe('cold');
    expect(await lastValueFrom(request)).toBe('cold');
    expect(asked.filter((data) => data === 'cold')).toHaveLength(2);
  });

  it('that is cancelled in the same tick is never published', async () => {
    const last = await lastValueFrom(
      of('one', 'two', 'three').pipe(switchMap((data) => client.send('ask', data))),
    );
    expect(last).toBe('three');
    expect(asked).not.toContain('one');
    expect(asked).not.toContain('two');
  });

  it('that a serializer cancels is forgotten', async () => {
    const serializer = {
      serialize: (packet: ReadPacket) => {
        if (packet.data === 'leave') request.unsubscribe();
        return packet;
      },
    };
    const other = harness.client({ serializer });
    await other.connect();
    let failure: unknown;
    const request: Subscription = other
      .send('ask', 'leave')
      .subscribe({ error: (error: unknown) => (failure = error) });
    await lastValueFrom(other.send('ask', 'after'));
    expect(request.closed).toBe(true);
    expect(failure).toBeUndefined();
  });
});

describe('an event', () => {
  const store = new AsyncLocalStorage<string>();

  it('completes in the asynchronous context of its subscriber', async () => {
    const seen = (who: string) =>
      store.run(who, async () => {
        let inside: string | undefined;
        await lastValueFrom(
          client.emit('told', who).pipe(tap({ complete: () => (inside = store.getStore()) })),
        );
        return inside;
      });
    expect(await Promise.all(['alice', 'bob'].map(seen))).toEqual(['alice', 'bob']);
  });

  it('fails there, too', async () => {
    const small = harness.client({ maxPayload: 10 });
    await small.connect();
    const inside = await store.run('carol', () =>
      lastValueFrom(small.emit('told', 'x'.repeat(100)).pipe(catchError(() => of(store.getStore())))),
    );
    expect(inside).toBe('carol');
  });

  it('is published once, however many subscribe, and completes for late subscribers too', async () => {
    const event = client.emit('told', 1);
    expect(await Promise.all([lastValueFrom(event), lastValueFrom(event)])).toEqual([undefined, undefined]);
    expect(await lastValueFrom(event)).toBeUndefined();
  });
});

describe('requests that meet a close', () => {
  it('go out if they were made before it, and fail while it runs; later ones are answered', async () => {
    const restless = harness.client();
    await restless.connect();
    const first = lastValueFrom(restless.send('ask', 'first')).catch((error: unknown) => error);
    const closed = restless.close();
    const second = lastValueFrom(restless.send('ask', 'second')).catch((error: unknown) => error);
    expect(await second).toMatchObject({ code: 'CLOSED', message: expect.stringContaining('connect()') });
    expect([(await first) === 'first', (await first) instanceof Error]).toContain(true);
    await closed;
    expect(await lastValueFrom(restless.send('ask', 'third'))).toBe('third');
  });
});
