import { describe, expect, it } from '@jest/globals';
import { deferred, type Deferred } from '../../../../src/util/promises.js';
import { Lifecycle } from '../../../../src/pubsub/engine/lifecycle.js';

/** A lifecycle whose search for the cluster ends when the test says so, and what it told meanwhile. */
function newLifecycle(): {
  readonly lifecycle: Lifecycle;
  readonly searches: Deferred<undefined>[];
  readonly signals: AbortSignal[];
  readonly told: string[];
} {
  const searches: Deferred<undefined>[] = [];
  const signals: AbortSignal[] = [];
  const told: string[] = [];
  const lifecycle = new Lifecycle({
    find: (signal) => {
      const search = deferred<undefined>();
      searches.push(search);
      signals.push(signal);
      return search.promise;
    },
    notFound: () => {
      told.push('not found');
    },
    changed: (status) => {
      told.push(status);
    },
  });
  return { lifecycle, searches, signals, told };
}

describe('Lifecycle', () => {
  it('looks for the cluster once for calls that meet, and not again when it was found', async () => {
    const { lifecycle, searches, told } = newLifecycle();
    const calls = [lifecycle.connect(), lifecycle.connect()];
    searches[0]?.resolve(undefined);
    await Promise.all(calls);
    await lifecycle.connect();
    expect(searches).toHaveLength(1);
    expect(told).toEqual(['connecting', 'connected']);
  });

  it('is idle again when the cluster was not found, and the next call tries anew', async () => {
    const { lifecycle, searches, told } = newLifecycle();
    const first = lifecycle.connect();
    searches[0]?.reject(new Error('nobody there'));
    await expect(first).rejects.toThrow('nobody there');
    expect(told).toEqual(['connecting', 'not found', 'idle']);

    const second = lifecycle.connect();
    searches[1]?.resolve(undefined);
    await second;
    expect(lifecycle.open).toBe(true);
  });

  it('is open while subscriptions are interrupted, and reports each change once', async () => {
    const { lifecycle, searches, told } = newLifecycle();
    const connected = lifecycle.connect();
    searches[0]?.resolve(undefined);
    await connected;
    lifecycle.settled(false);
    lifecycle.settled(false);
    expect(lifecycle.open).toBe(true);
    lifecycle.settled(true);
    expect(told).toEqual(['connecting', 'connected', 'reconnecting', 'connected']);
  });

  it('ends the search when it is closed, and stays closed whatever it finds', async () => {
    const { lifecycle, searches, signals, told } = newLifecycle();
    const connecting = lifecycle.connect();
    lifecycle.close();
    lifecycle.abort();
    expect(signals[0]?.aborted).toBe(true);
    searches[0]?.resolve(undefined);
    await expect(connecting).rejects.toMatchObject({ code: 'CLOSED' });
    lifecycle.settled(false);
    await expect(lifecycle.connect()).rejects.toMatchObject({ code: 'CLOSED' });
    expect(told).toEqual(['connecting', 'closed']);
  });

  it('goes on searching, until the end, for what was accepted before it was closed', async () => {
    const { lifecycle, searches, signals } = newLifecycle();
    const [connecting, accepted] = [lifecycle.connect(), lifecycle.find()];
    lifecycle.close();
    await expect(connecting).rejects.toMatchObject({ code: 'CLOSED' });
    await expect(lifecycle.find()).rejects.toMatchObject({ code: 'CLOSED' });
    expect(signals[0]?.aborted).toBe(false);
    searches[0]?.resolve(undefined);
    await accepted;
    expect(lifecycle.open).toBe(false);
  });

  it('tells what was accepted why nothing was found, or that the search was ended', async () => {
    const failed = newLifecycle();
    const told = failed.lifecycle.find();
    failed.lifecycle.connect().catch(() => undefined);
    failed.lifecycle.close();
    failed.searches[0]?.reject(new Error('nobody there'));
    await expect(told).rejects.toThrow('nobody there');

    const ended = newLifecycle();
    const waiting = ended.lifecycle.find();
    ended.lifecycle.close();
    ended.lifecycle.abort();
    ended.searches[0]?.reject(new Error('aborted'));
    await expect(waiting).rejects.toMatchObject({ code: 'CLOSED' });
  });
});
