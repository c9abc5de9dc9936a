import { describe, expect, it } from '@jest/globals';
import type { Gap } from '../../../../src/pubsub/index.js';
import { engines } from '../../../support/engines.js';
import { unique } from '../../../support/names.js';

describe('getMessage', () => {
  const open = engines();

  it('does not wait unless asked to', async () => {
    const pubsub = open({ ignoreSubscribeMessages: true });
    expect(await pubsub.getMessage()).toBeNull();
    await pubsub.subscribe(unique());
    expect(await pubsub.getMessage()).toBeNull();
  });

  it('gives null when nothing comes in time, and not much later', async () => {
    const pubsub = open({ ignoreSubscribeMessages: true });
    const started = performance.now();
    expect(await pubsub.getMessage({ timeout: 100 })).toBeNull();
    expect(performance.now() - started).toBeGreaterThan(95);
    expect(performance.now() - started).toBeLessThan(2_000);
  });

  it.each([null, Infinity])('waits forever with timeout %p, until a message arrives', async (timeout) => {
    const channel = unique();
    const pubsub = open({ ignoreSubscribeMessages: true });
    await pubsub.subscribe(channel);
    const read = pubsub.getMessage({ timeout });
    await pubsub.publish(channel, 'at last');
    expect(await read).toMatchObject({ data: 'at last' });
  });

  it('that waits forever ends with null on close', async () => {
    const pubsub = open();
    const read = pubsub.getMessage({ timeout: null });
    await pubsub.close();
    expect(await read).toBeNull();
    await expect(pubsub.getMessage()).rejects.toMatchObject({ code: 'CLOSED' });
  });

  it.each([-1, Number.NaN])('refuses timeout %p', async (timeout) => {
    await expect(open().getMessage({ timeout })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  });

  it('by several readers gives each message to one of them', async () => {
    const channel = unique();
    const pubsub = open({ ignoreSubscribeMessages: true });
    await pubsub.subscribe(channel);
    const reads = [1, 2, 3].map(() => pubsub.getMessage({ timeout: null }));
    for (const data of ['a', 'b', 'c']) await pubsub.publish(channel, data);
    expect((await Promise.all(reads)).map((message) => message?.data)).toEqual(['a', 'b', 'c']);
  });
});

describe('listen', () => {
  const open = engines();

  it('gives confirmations and messages, and ends when nothing is subscribed any more', async () => {
    const channel = unique();
    const pubsub = open();
    await pubsub.subscribe(channel);
    const seen: unknown[] = [];
    const reading = (async () => {
      for await (const { type, data } of pubsub.listen()) {
        seen.push([type, data]);
        if (type === 'message') await pubsub.unsubscribe();
      }
    })();
    await pubsub.publish(channel, 'hello');
    await reading;
    expect(seen).toEqual([
      ['subscribe', 1],
      ['message', 'hello'],
      ['unsubscribe', 0],
    ]);
  });

  it('ends on close while it waits', async () => {
    const pubsub = open({ ignoreSubscribeMessages: true });
    await pubsub.subscribe(unique());
    const next = pubsub.listen().next();
    await pubsub.close();
    expect(await next).toEqual({ done: true, value: undefined });
  });

  it('ends at once when nothing is subscribed', async () => {
    expect(await open().listen().next()).toEqual({ done: true, value: undefined });
  });

  it('ends when somebody else ends the last subscription', async () => {
    const pubsub = open({ ignoreSubscribeMessages: true });
    const [a, b] = [unique(), unique()];
    await pubsub.subscribe(a);
    await pubsub.ssubscribe(b);
    const next = pubsub.listen().next();
    await pubsub.unsubscribe();
    await pubsub.sunsubscribe();
    expect((await next).done).toBe(true);
  });

  it('waits for a subscription that is on its way, and for the confirmation of an end', async () => {
    const [channel, other] = [unique(), unique()];
    const pubsub = open();
    const seen: unknown[] = [];
    const ends: Promise<void>[] = [pubsub.subscribe(channel, other)];
    for await (const { type, channel: name } of pubsub.listen()) {
      seen.push(`${type} ${name}`);
      if (seen.length === 2) ends.push(pubsub.unsubscribe());
    }
    await Promise.all(ends);
    expect(seen.slice(0, 2).sort()).toEqual([`subscribe ${channel}`, `subscribe ${other}`].sort());
    expect(seen.slice(2).sort()).toEqual([`unsubscribe ${channel}`, `unsubscribe ${other}`].sort());
  });

  it('ends when the only subscription on its way fails', async () => {
    const pubsub = open({}, { nodes: [{ host: '127.0.0.1', port: 1 }], connectTimeout: 200 });
    const failing = expect(pubsub.subscribe(unique())).rejects.toMatchObject({ code: 'CLUSTER_UNREACHABLE' });
    expect(await pubsub.listen().next()).toEqual({ done: true, value: undefined });
    await failing;
  });

  it('ends by return() while next() waits; another one goes on', async () => {
    const channel = unique();
    const pubsub = open({ ignoreSubscribeMessages: true });
    await pubsub.subscribe(channel);
    const [one, other] = [pubsub.listen(), pubsub.listen()];
    const [ended, waiting] = [one.next(), other.next()];
    expect(await one.return()).toEqual({ done: true, value: undefined });
    expect(await ended).toEqual({ done: true, value: undefined });
    expect(await one.next()).toEqual({ done: true, value: undefined });
    await pubsub.publish(channel, 'to the other');
    expect((await waiting).value).toMatchObject({ data: 'to the other' });
    await expect(other.throw(new Error('enough'))).rejects.toThrow('enough');
    expect((await other.next()).done).toBe(true);
  });

  it('can be left and taken up again without losing what came meanwhile', async () => {
    const channel = unique();
    const pubsub = open({ ignoreSubscribeMessages: true });
    await pubsub.subscribe(channel);
    for (const data of ['a', 'b', 'c']) await pubsub.publish(channel, data);
    const seen: unknown[] = [];
    for (let round = 0; round < 3; round += 1) {
      for await (const { data } of pubsub.listen()) {
        seen.push(data);
        break;
      }
    }
    expect(seen).toEqual(['a', 'b', 'c']);
  });
});

describe('a buffer that is full', () => {
  const open = engines();

  it('drops the oldest messages, counts them, and reports all of them by gaps', async () => {
    const channel = unique();
    const pubsub = open({ ignoreSubscribeMessages: true, bufferLimit: 3 });
    const gaps: Gap[] = [];
    const overflowed = new Promise<void>((resolve) => {
      pubsub.on('gap', (gap) => {
        gaps.push(gap);
        if (gaps.reduce((sum, { missed = 0 }) => sum + missed, 0) === 3) resolve();
      });
    });
    await pubsub.subscribe(channel);
    for (const data of ['a', 'b', 'c', 'd', 'e', 'f']) await pubsub.publish(channel, data);
    await overflowed;

    const read: unknown[] = [];
    for (let got = await pubsub.getMessage(); got !== null; got = await pubsub.getMessage())
      read.push(got.data);
    expect(read).toEqual(['d', 'e', 'f']);
    expect(pubsub.dropped).toBe(3);
    expect(gaps[0]).toMatchObject({
      kind: 'channel',
      names: [channel],
      reason: 'buffer-overflow',
    });
  });

  it('is emptied by reset, which also ends every subscription; the object goes on', async () => {
    const channel = unique();
    const pubsub = open();
    await pubsub.subscribe(channel);
    await pubsub.psubscribe(`${channel}*`);
    await pubsub.publish(channel, 'unread');
    await pubsub.reset();
    expect(await pubsub.getMessage()).toBeNull();
    expect(pubsub.subscribed).toBe(false);
    expect(await pubsub.publish(channel, '')).toBe(0);
    await pubsub.subscribe(channel);
    expect(await pubsub.publish(channel, '')).toBe(1);
  });
});
