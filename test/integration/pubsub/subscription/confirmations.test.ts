import { describe, expect, it } from '@jest/globals';
import { engines } from '../../../support/engines.js';
import { unique, uniques } from '../../../support/names.js';
import { plainConnections } from '../../../support/plain-connections.js';

describe('subscribe', () => {
  const open = engines();
  const plain = plainConnections();

  it('resolves when every channel is active on its owner, not before', async () => {
    const channels = uniques(30);
    const pubsub = open();
    await pubsub.subscribe(channels);
    for (const channel of channels) {
      const [, count] = (await plain(pubsub.nodeOf(channel)).pubsub('NUMSUB', channel)) as [string, number];
      expect(count).toBe(1);
    }
  });

  it('makes one connection per master for any number of channels', async () => {
    const channels = uniques(50);
    const pubsub = open();
    await pubsub.subscribe(channels);
    await pubsub.ssubscribe(channels);
    await pubsub.psubscribe(channels);
    for (const master of new Set(channels.map((channel) => pubsub.nodeOf(channel)))) {
      const mine = channels.filter((channel) => pubsub.nodeOf(channel) === master);
      const list = String(await plain(master).client('LIST', 'TYPE', 'PUBSUB'));
      const carriesAll = (line: string) =>
        line.includes(` ssub=${mine.length} `) && line.includes(` sub=${mine.length} `);
      expect(list.split('\n').filter(carriesAll)).toHaveLength(1);
    }
  });

  it('confirms each name with the running count, as Redis would on one connection', async () => {
    const pubsub = open();
    const [a, b, c] = uniques(3);
    await pubsub.subscribe(a!);
    await pubsub.psubscribe(b!);
    await pubsub.ssubscribe(a!);
    await pubsub.subscribe(c!);
    await pubsub.unsubscribe(a!);
    await pubsub.punsubscribe(b!);
    await pubsub.sunsubscribe(a!);
    const seen = [];
    for (let got = await pubsub.getMessage(); got !== null; got = await pubsub.getMessage()) seen.push(got);
    expect(seen).toEqual([
      { type: 'subscribe', pattern: null, channel: a, data: 1 },
      { type: 'psubscribe', pattern: null, channel: b, data: 2 },
      { type: 'ssubscribe', pattern: null, channel: a, data: 1 },
      { type: 'subscribe', pattern: null, channel: c, data: 3 },
      { type: 'unsubscribe', pattern: null, channel: a, data: 2 },
      { type: 'punsubscribe', pattern: null, channel: b, data: 1 },
      { type: 'sunsubscribe', pattern: null, channel: a, data: 0 },
    ]);
  });

  it('counts up by one for each channel of one call, on whatever nodes they are', async () => {
    const pubsub = open();
    const channels = uniques(20);
    await pubsub.subscribe(channels);
    const counts = [];
    const names = [];
    for (let got = await pubsub.getMessage(); got !== null; got = await pubsub.getMessage()) {
      counts.push(got.data);
      names.push(got.channel);
    }
    expect(counts).toEqual(channels.map((_, index) => index + 1));
    expect(names.sort()).toEqual([...channels].sort());
  });

  it('confirms a name anew that is subscribed already', async () => {
    const pubsub = open();
    const channel = unique();
    await pubsub.subscribe(channel);
    await pubsub.subscribe(channel, channel);
    const counts = [];
    for (let got = await pubsub.getMessage(); got !== null; got = await pubsub.getMessage())
      counts.push(got.data);
    expect(new Set(counts)).toEqual(new Set([1]));
    expect(await pubsub.publish(channel, '')).toBe(1);
  });

  it('confirms before it hands out the first message, though others publish all the time', async () => {
    const pubsub = open();
    await pubsub.connect();
    const channels = uniques(10);
    const owners = new Map(channels.map((channel) => [channel, plain(pubsub.nodeOf(channel))]));
    let publishing = true;
    const flood = Promise.all(
      channels.map(async (channel) => {
        const pipeline = () => {
          const batch = owners.get(channel)!.pipeline();
          for (let index = 0; index < 50; index += 1) batch.publish(channel, 'x');
          return batch.exec();
        };
        while (publishing) await pipeline();
      }),
    );
    await pubsub.subscribe(channels);
    publishing = false;
    await flood;
    const first = new Map<string, string>();
    for (let got = await pubsub.getMessage(); got !== null; got = await pubsub.getMessage()) {
      if (!first.has(got.channel)) first.set(got.channel, got.type);
    }
    expect([...first.values()]).toEqual(channels.map(() => 'subscribe'));
  });

  it('leaves confirmations out when asked to, for the object or for one call', async () => {
    const channel = unique();
    const quiet = open({ ignoreSubscribeMessages: true });
    await quiet.subscribe(channel);
    expect(await quiet.getMessage()).toBeNull();

    const pubsub = open();
    await pubsub.subscribe(channel);
    await pubsub.publish(channel, 'hello');
    expect(await pubsub.getMessage({ ignoreSubscribeMessages: true, timeout: 1_000 })).toMatchObject({
      type: 'message',
      data: 'hello',
    });
  });

  it('gives names and counts as bytes and numbers in a confirmation of a binary channel', async () => {
    const name = Buffer.concat([Buffer.from([0xff]), Buffer.from(unique())]);
    const pubsub = open({ encoding: 'buffer' });
    await pubsub.subscribe(name);
    expect(await pubsub.getMessage()).toEqual({ type: 'subscribe', pattern: null, channel: name, data: 1 });
  });

  it('shows what is subscribed', async () => {
    const pubsub = open();
    const name = unique();
    const bytes = Buffer.from(unique());
    expect(pubsub.subscribed).toBe(false);
    await pubsub.subscribe(name, bytes);
    await pubsub.psubscribe(`${name}*`);
    await pubsub.ssubscribe(name);
    expect(pubsub.channels).toEqual(new Set([name, bytes]));
    expect(pubsub.patterns).toEqual(new Set([`${name}*`]));
    expect(pubsub.shardChannels).toEqual(new Set([name]));
    expect(pubsub.subscribed).toBe(true);
    await pubsub.reset();
    expect(pubsub.subscribed).toBe(false);
  });
});
