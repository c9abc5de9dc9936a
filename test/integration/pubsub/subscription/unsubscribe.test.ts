import { describe, expect, it } from '@jest/globals';
import { engines } from '../../../support/engines.js';
import { ReceivedMessages } from '../../../support/messages.js';
import { unique, uniques } from '../../../support/names.js';
import { plainConnections } from '../../../support/plain-connections.js';

describe('unsubscribe', () => {
  const open = engines();
  const plain = plainConnections();

  it('resolves when the owner knows of it', async () => {
    const channels = uniques(10);
    const pubsub = open();
    await pubsub.subscribe(channels);
    const owners = channels.map((channel) => pubsub.nodeOf(channel));
    await pubsub.unsubscribe(channels);
    for (const [index, channel] of channels.entries()) {
      expect(await plain(owners[index]).pubsub('NUMSUB', channel)).toEqual([channel, 0]);
    }
  });

  it('without names ends all of its kind, and leaves the other kinds', async () => {
    const names = uniques(3);
    const pubsub = open();
    await pubsub.subscribe(names);
    await pubsub.psubscribe(names);
    await pubsub.ssubscribe(names);
    await pubsub.unsubscribe();
    expect([pubsub.channels.size, pubsub.patterns.size, pubsub.shardChannels.size]).toEqual([0, 3, 3]);
    await pubsub.punsubscribe();
    expect([pubsub.channels.size, pubsub.patterns.size, pubsub.shardChannels.size]).toEqual([0, 0, 3]);
    expect(await pubsub.spublish(names[0]!, '')).toBe(1);
    await pubsub.sunsubscribe();
    expect(pubsub.subscribed).toBe(false);
    expect(await pubsub.spublish(names[0]!, '')).toBe(0);
  });

  it('of an empty list ends nothing', async () => {
    const [channel, pattern, shard] = uniques(3) as [string, string, string];
    const pubsub = open({ ignoreSubscribeMessages: true });
    await Promise.all([pubsub.subscribe(channel), pubsub.psubscribe(pattern), pubsub.ssubscribe(shard)]);
    await Promise.all([pubsub.unsubscribe([]), pubsub.punsubscribe([], []), pubsub.sunsubscribe([])]);
    expect([pubsub.channels.size, pubsub.patterns.size, pubsub.shardChannels.size]).toEqual([1, 1, 1]);
    expect(await pubsub.publish(channel, '')).toBe(1);
  });

  it('of some leaves the rest', async () => {
    const [a, b, c] = uniques(3) as [string, string, string];
    const pubsub = open();
    await pubsub.subscribe(a, b, c);
    await pubsub.unsubscribe(a, [c]);
    expect(pubsub.channels).toEqual(new Set([b]));
    expect(await Promise.all([a, b, c].map((name) => pubsub.publish(name, '')))).toEqual([0, 1, 0]);
  });

  it('of a name that is not subscribed is confirmed like any other, as Redis does', async () => {
    const pubsub = open();
    const name = unique();
    await pubsub.unsubscribe(name);
    expect(await pubsub.getMessage()).toEqual({ type: 'unsubscribe', pattern: null, channel: name, data: 0 });
  });

  it('when nothing is subscribed does nothing, and confirms nothing', async () => {
    const pubsub = open();
    await pubsub.unsubscribe();
    await pubsub.connect();
    await Promise.all([pubsub.unsubscribe(), pubsub.punsubscribe(), pubsub.sunsubscribe()]);
    expect(await pubsub.getMessage()).toBeNull();
  });

  it('gives a channel up that was named in bytes, and the other way round', async () => {
    const pubsub = open();
    const [a, b] = uniques(2) as [string, string];
    await pubsub.subscribe(Buffer.from(a), b);
    await pubsub.unsubscribe(a, Buffer.from(b));
    expect(pubsub.subscribed).toBe(false);
  });

  it.each(['subscribe', 'psubscribe', 'ssubscribe'] as const)(
    'that is not confirmed yet does not take a new %s with it',
    async (subscribe) => {
      const name = unique();
      const pubsub = open();
      const received = new ReceivedMessages();
      const unsubscribe = {
        subscribe: 'unsubscribe',
        psubscribe: 'punsubscribe',
        ssubscribe: 'sunsubscribe',
      } as const;
      const publish = subscribe === 'ssubscribe' ? 'spublish' : 'publish';
      await pubsub[subscribe](name);
      for (let round = 1; round <= 20; round += 1) {
        const leaving = pubsub[unsubscribe[subscribe]](name);
        const coming = pubsub[subscribe]({ [name]: received.handler });
        await Promise.all([leaving, coming]);
        await pubsub[publish](name, String(round));
        await received.has(round);
      }
      expect(received.data).toEqual(Array.from({ length: 20 }, (_, index) => String(index + 1)));
    },
  );

  it.each(['subscribe', 'ssubscribe'] as const)(
    'has what Redis has counted as received by %s handed out, up to the last message',
    async (subscribe) => {
      const name = unique();
      const [pubsub, publisher] = [open(), open()];
      const publish = subscribe === 'ssubscribe' ? 'spublish' : 'publish';
      let received = 0;
      await pubsub[subscribe]({ [name]: () => (received += 1) });
      await publisher[publish](name, '');
      const publishing = Array.from({ length: 500 }, () => publisher[publish](name, ''));
      const leaving = subscribe === 'ssubscribe' ? pubsub.sunsubscribe(name) : pubsub.unsubscribe(name);
      publishing.push(...Array.from({ length: 500 }, () => publisher[publish](name, '')));
      const counts = await Promise.all(publishing);
      await leaving;
      expect(received).toBe(1 + counts.reduce((sum, count) => sum + count, 0));
    },
  );

  it('ends a subscribe that is still under way', async () => {
    const pubsub = open();
    await pubsub.connect();
    const name = unique();
    const subscribing = pubsub.subscribe(name).catch((error: unknown) => error);
    await Promise.resolve();
    await Promise.resolve();
    await pubsub.unsubscribe(name);
    await subscribing;
    expect(pubsub.subscribed).toBe(false);
    expect(await pubsub.publish(name, '')).toBe(0);
  });

  it('of all closes the connections that carried them', async () => {
    const channels = uniques(10);
    const pubsub = open({}, undefined);
    await pubsub.subscribe(channels);
    const owner = pubsub.nodeOf(channels[0]!);
    await pubsub.unsubscribe();
    const channelsLeft = (await plain(owner).pubsub('CHANNELS', `${channels[0]!.slice(0, -2)}*`)) as string[];
    expect(channelsLeft).toEqual([]);
  });

  it.each([5, null, undefined, {}])('rejects %p as a name', async (name) => {
    const rejected = open().unsubscribe(name as string);
    await expect(rejected).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  });
});
