import { describe, expect, it } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { engines } from '../../../support/engines.js';
import { ReceivedMessages } from '../../../support/messages.js';
import { unique } from '../../../support/names.js';

const MiB = 1024 * 1024;

describe('names', () => {
  const open = engines();

  it.each([
    'žluťoučký 🐎',
    'with spaces',
    'line\nend\r\n',
    '{tag}.rest',
    '{',
    '{}x{y}',
    'null\u0000byte',
    '*?[a]\\',
  ])('may be %j', async (text) => {
    const name = `${text}${unique()}`;
    const [publisher, subscriber] = [open(), open()];
    const [classic, sharded] = [new ReceivedMessages(), new ReceivedMessages()];
    await subscriber.subscribe({ [name]: classic.handler });
    await subscriber.ssubscribe({ [name]: sharded.handler });
    expect(await publisher.publish(name, text)).toBe(1);
    expect(await publisher.spublish(name, text)).toBe(1);
    await classic.has(1);
    await sharded.has(1);
    expect(classic.messages).toEqual([{ type: 'message', pattern: null, channel: name, data: text }]);
    expect(sharded.messages).toEqual([{ type: 'smessage', pattern: null, channel: name, data: text }]);
  });

  it('may be bytes that are not text, and are distinguished byte for byte', async () => {
    const tail = Buffer.from(unique());
    const [one, other] = [0xff, 0xfe].map((byte) => Buffer.concat([Buffer.from([byte, 0x00]), tail])) as [
      Buffer,
      Buffer,
    ];
    const [publisher, subscriber] = [open(), open({ encoding: 'buffer' })];
    const [first, second] = [new ReceivedMessages<'buffer'>(), new ReceivedMessages<'buffer'>()];
    await subscriber.subscribe(
      new Map([
        [one, first.handler],
        [other, second.handler],
      ]),
    );
    expect(await publisher.publish(one, 'to one')).toBe(1);
    expect(await publisher.publish(other, 'to the other')).toBe(1);
    await first.has(1);
    await second.has(1);
    expect(first.messages).toEqual([
      { type: 'message', pattern: null, channel: one, data: Buffer.from('to one') },
    ]);
    expect(second.messages[0]?.channel).toEqual(other);
  });

  it('may be empty', async () => {
    const [publisher, subscriber] = [open(), open()];
    const received = new ReceivedMessages();
    await subscriber.ssubscribe({ '': received.handler });
    await publisher.spublish('', 'to nobody by name');
    await received.has(({ data }) => data === 'to nobody by name');
    await subscriber.sunsubscribe('');
  });

  it('of 64 KiB go through', async () => {
    const name = unique() + 'n'.repeat(64 * 1024);
    const pubsub = open();
    const received = new ReceivedMessages();
    await pubsub.subscribe({ [name]: received.handler });
    expect(await pubsub.publish(name, '')).toBe(1);
    await received.has(1);
    expect(received.messages[0]?.channel).toBe(name);
  });
});

describe('payloads', () => {
  const open = engines();

  it.each<[string, Buffer]>([
    ['nothing', Buffer.alloc(0)],
    ['every byte there is', Buffer.from(Array.from({ length: 256 }, (_, byte) => byte))],
    ['what looks like RESP', Buffer.from('$5\r\nhello\r\n*1\r\n>3\r\n')],
    ['1 MiB', randomBytes(MiB)],
    ['20 MiB', randomBytes(20 * MiB)],
  ])('arrive byte for byte: %s', async (_what, payload) => {
    const channel = unique();
    const pubsub = open({ encoding: 'buffer' });
    const [classic, sharded] = [new ReceivedMessages<'buffer'>(), new ReceivedMessages<'buffer'>()];
    await pubsub.subscribe({ [channel]: classic.handler });
    await pubsub.ssubscribe({ [channel]: sharded.handler });
    // One after the other: 40 MiB at once are beyond Redis's default client-output-buffer-limit of a subscriber.
    expect(await pubsub.publish(channel, payload)).toBe(1);
    await classic.has(1);
    expect(await pubsub.spublish(channel, new Uint8Array(payload))).toBe(1);
    await sharded.has(1);
    for (const received of [classic, sharded]) {
      // toEqual on 20 MiB takes seconds.
      expect(received.messages[0]!.data.equals(payload)).toBe(true);
    }
  });

  it('of text arrive as the same text', async () => {
    const channel = unique();
    const pubsub = open();
    const received = new ReceivedMessages();
    await pubsub.subscribe({ [channel]: received.handler });
    const texts = ['', 'žluťoučký 🐎', '\ufeffwith a BOM', '5', 'true', 'x'.repeat(100_000)];
    for (const text of texts) await pubsub.publish(channel, text);
    await received.has(texts.length);
    expect(received.data).toEqual(texts);
  });

  it.each([5, null, undefined, { a: 1 }, ['a']])('of %p are refused', async (data) => {
    await expect(open().publish(unique(), data as unknown as string)).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
    });
  });
});
