import { describe, expect, it } from '@jest/globals';
import type { PubSubMessage } from '../../../src/pubsub/index.js';
import { engines } from '../../support/engines.js';
import { ReceivedMessages } from '../../support/messages.js';
import { unique, uniques } from '../../support/names.js';

const KINDS = [
  { subscribe: 'subscribe', unsubscribe: 'unsubscribe', publish: 'publish', names: 'channels' },
  { subscribe: 'psubscribe', unsubscribe: 'punsubscribe', publish: 'publish', names: 'patterns' },
  { subscribe: 'ssubscribe', unsubscribe: 'sunsubscribe', publish: 'spublish', names: 'shardChannels' },
] as const;

describe.each(KINDS)('$subscribe', ({ subscribe, unsubscribe, publish, names }) => {
  const open = engines();

  it('and its end are confirmed one by one, with the count up and down', async () => {
    const pubsub = open();
    const three = [`a${unique()}`, `b${unique()}`, `uni\u1168code${unique()}`];
    for (const name of three) await pubsub[subscribe](name);
    for (const name of three) await pubsub[unsubscribe](name);
    expect(await unread(pubsub)).toEqual([
      ...three.map((channel, index) => ({ type: subscribe, pattern: null, channel, data: index + 1 })),
      ...three.map((channel, index) => ({ type: unsubscribe, pattern: null, channel, data: 2 - index })),
    ]);
  });

  it('makes `subscribed` true from the call until its end is confirmed, and again with the next', async () => {
    const pubsub = open();
    const [one, other] = uniques(2) as [string, string];
    expect(pubsub.subscribed).toBe(false);
    const arriving = pubsub[subscribe](one);
    expect(pubsub.subscribed).toBe(true);
    await arriving;
    expect(pubsub.subscribed).toBe(true);
    const ending = pubsub[unsubscribe]();
    for (let step = 0; step < 5; step += 1) {
      expect(pubsub.subscribed).toBe(true);
      await Promise.resolve(); // no confirmation comes without the event loop
    }
    await ending;
    expect(pubsub.subscribed).toBe(false);
    await pubsub[subscribe](one);
    const leaving = pubsub[unsubscribe]();
    await pubsub[subscribe](other);
    await leaving;
    expect(pubsub.subscribed).toBe(true);
    expect(pubsub[names]).toEqual(new Set([other]));
    await pubsub[unsubscribe]();
    expect(pubsub.subscribed).toBe(false);
  });

  it.each(['its name', 'no name'])(
    'is active when it follows an end by %s that is not confirmed',
    async (by) => {
      const pubsub = open();
      const name = unique();
      await pubsub[subscribe](name);
      await Promise.all([
        by === 'no name' ? pubsub[unsubscribe]() : pubsub[unsubscribe](name),
        pubsub[subscribe](name),
      ]);
      const told = (await unread(pubsub)).map(({ type, data }) => [type, data]);
      expect(told[0]).toEqual([subscribe, 1]);
      expect(told.slice(1).sort()).toEqual([
        [subscribe, 1],
        [unsubscribe, 0],
      ]);
      expect(pubsub.subscribed).toBe(true);
      await pubsub[publish](name, 'it stands');
      expect(await pubsub.getMessage({ timeout: 5_000 })).toMatchObject({ channel: name, data: 'it stands' });
    },
  );

  it('again of the same name brings each message once', async () => {
    const pubsub = open({ ignoreSubscribeMessages: true });
    const name = unique();
    const received = new ReceivedMessages();
    await pubsub[subscribe](name, [name]);
    await pubsub[subscribe]({ [name]: received.handler });
    const sent = Array.from({ length: 10 }, (_, index) => String(index));
    for (const data of sent) await pubsub[publish](name, data);
    await received.has(10);
    expect(received.data).toEqual(sent);
    expect(await pubsub.getMessage()).toBeNull();
  });

  it('may be called by a handler', async () => {
    const pubsub = open();
    const [first, second] = uniques(2) as [string, string];
    const received = new ReceivedMessages();
    const subscribed = new Promise((resolve) => {
      void pubsub[subscribe]({
        [first]: () => resolve(pubsub[subscribe]({ [second]: received.handler })),
      }).then(() => pubsub[publish](first, 'go'));
    });
    await subscribed;
    await pubsub[publish](second, 'hi');
    await received.has(1);
  });

  it('of several objects brings all messages to each of them', async () => {
    const channels = uniques(2).map((name) => `${name}{same}`);
    const publisher = open();
    const allReceived = [new ReceivedMessages(), new ReceivedMessages()];
    for (const received of allReceived) {
      await open()[subscribe](Object.fromEntries(channels.map((channel) => [channel, received.handler])));
    }
    for (let index = 0; index < 20; index += 1) {
      for (const channel of channels) {
        const count = await publisher[publish](channel, String(index));
        if (subscribe !== 'psubscribe') expect(count).toBe(2);
      }
    }
    for (const received of allReceived) {
      await received.has(40);
      for (const channel of channels) {
        const mine = received.messages
          .filter((message) => message.channel === channel)
          .map(({ data }) => data);
        expect(mine).toEqual(Array.from({ length: 20 }, (_, index) => String(index)));
      }
    }
  });

  it('that was ended brings no message any more, while others go on', async () => {
    const pubsub = open();
    const [kept, removed] = uniques(2) as [string, string];
    const [keeping, removing] = [new ReceivedMessages(), new ReceivedMessages()];
    await pubsub[subscribe]({ [kept]: keeping.handler, [removed]: removing.handler });
    await pubsub[unsubscribe](removed);
    for (let index = 0; index < 10; index += 1) {
      await pubsub[publish](removed, '');
      await pubsub[publish](kept, '');
    }
    await keeping.has(10);
    expect(removing.messages).toEqual([]);
  });
});

describe('close', () => {
  const open = engines();

  it('and `await using` take subscriptions out of NUMSUB, and leave no names behind', async () => {
    const [classic, sharded] = uniques(2) as [string, string];
    const other = open();
    let closed;
    {
      await using pubsub = open();
      closed = pubsub;
      await pubsub.subscribe(classic);
      await pubsub.psubscribe(`${classic}*`);
      await pubsub.ssubscribe(sharded);
      expect(await other.pubsubNumsub(classic)).toEqual(new Map([[classic, 1]]));
    }
    expect(await other.pubsubNumsub(classic)).toEqual(new Map([[classic, 0]]));
    expect(await other.pubsubShardNumsub(sharded)).toEqual(new Map([[sharded, 0]]));
    expect([closed.channels.size, closed.patterns.size, closed.shardChannels.size]).toEqual([0, 0, 0]);
  });

  it('of one object after another leaves nothing in the way of the next', async () => {
    const channels = uniques(2);
    for (let round = 0; round < 30; round += 1) {
      const pubsub = open();
      await pubsub.subscribe(channels);
      await pubsub.close();
    }
    expect(await open().publish(channels[0]!, '')).toBe(0);
  });
});

describe('getMessage', () => {
  const open = engines();

  it('gives null where nothing is subscribed, and what comes when something is meanwhile', async () => {
    const channel = unique();
    const pubsub = open();
    expect(await pubsub.getMessage()).toBeNull();
    expect(await pubsub.getMessage({ timeout: 20.5 })).toBeNull();
    const waiting = pubsub.getMessage({ timeout: 5_000 });
    await pubsub.subscribe(channel);
    expect(await waiting).toEqual({ type: 'subscribe', pattern: null, channel, data: 1 });
    const forEver = pubsub.getMessage({ timeout: null });
    await pubsub.unsubscribe();
    expect(await forEver).toMatchObject({ type: 'unsubscribe', data: 0 });
  });
});

async function unread(pubsub: { getMessage(): Promise<PubSubMessage | null> }): Promise<PubSubMessage[]> {
  const messages = [];
  for (let got = await pubsub.getMessage(); got !== null; got = await pubsub.getMessage()) messages.push(got);
  return messages;
}
