import { describe, expect, it } from '@jest/globals';
import { engines } from '../../../support/engines.js';
import { ReceivedMessages } from '../../../support/messages.js';
import { unique, uniques } from '../../../support/names.js';

const TOTAL = 10_000;

describe('order on a channel', () => {
  const open = engines();

  it.each(['classic', 'sharded'])('(%s) holds for 10,000 messages, each received once', async (mode) => {
    const channel = unique();
    const received = new ReceivedMessages();
    const [publisher, subscriber] = [open(), open()];
    const handlers = { [channel]: received.handler };
    await (mode === 'classic' ? subscriber.subscribe(handlers) : subscriber.ssubscribe(handlers));

    const sent = Array.from({ length: TOTAL }, (_, index) => String(index));
    const counts = await Promise.all(
      sent.map((data) =>
        mode === 'classic' ? publisher.publish(channel, data) : publisher.spublish(channel, data),
      ),
    );

    expect(counts.every((count) => count === 1)).toBe(true);
    await received.has(TOTAL);
    expect(received.data).toEqual(sent);
  });

  it('holds on each of 20 channels when messages to them alternate, text and bytes mixed', async () => {
    const channels = uniques(20);
    const received = new ReceivedMessages<'buffer'>();
    const publisher = open();
    await open({ encoding: 'buffer' }).subscribe(
      Object.fromEntries(channels.map((name) => [name, received.handler])),
    );

    await Promise.all(
      Array.from({ length: TOTAL }, (_, index) => {
        const text = String(Math.floor(index / channels.length));
        return publisher.publish(
          channels[index % channels.length]!,
          index % 3 === 0 ? Buffer.from(text) : text,
        );
      }),
    );

    await received.has(TOTAL);
    const expected = Array.from({ length: TOTAL / channels.length }, (_, index) => String(index));
    for (const name of channels) {
      const got = received.messages.filter(({ channel }) => channel.toString() === name);
      expect(got.map(({ data }) => data.toString())).toEqual(expected);
    }
  });

  it('holds for what was published while the first connection was being made, and right after', async () => {
    const channel = unique();
    const received = new ReceivedMessages();
    await open().subscribe({ [channel]: received.handler });
    const publisher = open();
    const connected = publisher.connect();
    const second = connected.then(() => publisher.publish(channel, '2'));
    const first = publisher.publish(channel, '1');
    await Promise.all([first, second]);
    await received.has(2);
    expect(received.data).toEqual(['1', '2']);
  });

  it('gives messages to the reader in the order they came', async () => {
    const channel = unique();
    const [publisher, subscriber] = [open(), open({ ignoreSubscribeMessages: true })];
    await subscriber.subscribe(channel);
    const sent = Array.from({ length: 1_000 }, (_, index) => String(index));
    await Promise.all(sent.map((data) => publisher.publish(channel, data)));
    const read: string[] = [];
    for await (const { data } of subscriber.listen()) {
      if (read.push(String(data)) === sent.length) break;
    }
    expect(read).toEqual(sent);
  });
});
