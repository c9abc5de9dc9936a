import { describe, expect, it } from '@jest/globals';
import { engines } from '../../support/engines.js';
import { ReceivedMessages } from '../../support/messages.js';
import { unique } from '../../support/names.js';
import { plainConnections } from '../../support/plain-connections.js';
import { eventually, next } from '../../support/waiting.js';

const INVALID_UTF8 = Buffer.from([0x61, 0xff, 0x62]);

describe('encodingErrors', () => {
  const open = engines();

  it('replace, the default, hands a message out with U+FFFD for what is not UTF-8', async () => {
    const channel = unique();
    const received = new ReceivedMessages();
    const pubsub = open();
    await pubsub.subscribe({ [channel]: received.handler });
    await pubsub.publish(channel, INVALID_UTF8);
    await received.has(1);
    expect(received.data).toEqual(['a\ufffdb']);
    expect(pubsub.metrics().undecodable).toBe(0);
  });

  it('strict drops such a message, counts it and says so; the next one comes', async () => {
    const channel = unique();
    const received = new ReceivedMessages();
    const pubsub = open({ encodingErrors: 'strict' });
    await pubsub.subscribe({ [channel]: received.handler });
    const error = next(pubsub, 'error');
    expect(await pubsub.publish(channel, INVALID_UTF8)).toBe(1);
    await pubsub.publish(channel, 'žluť');
    await received.has(1);
    expect(received.data).toEqual(['žluť']);
    const reported = await error;
    expect(reported).toMatchObject({ code: 'INVALID_UTF8' });
    expect(reported.message).toContain(channel);
    expect(pubsub.metrics().undecodable).toBe(1);
  });

  it('strict holds for the channel that a pattern matches, and for listen() and getMessage()', async () => {
    const tail = unique();
    const pubsub = open({ encodingErrors: 'strict', ignoreSubscribeMessages: true });
    await pubsub.psubscribe(`*${tail}`);
    await pubsub.publish(Buffer.concat([INVALID_UTF8, Buffer.from(tail)]), 'text');
    await pubsub.publish(`good${tail}`, INVALID_UTF8);
    await pubsub.publish(`good${tail}`, 'text');
    expect(await pubsub.getMessage({ timeout: 5_000 })).toMatchObject({
      channel: `good${tail}`,
      data: 'text',
    });
    // The channel that is not text may be on another node, whose message comes later.
    await eventually(() => pubsub.metrics().undecodable === 2, 'both are counted');
  });

  it('strict leaves confirmations alone: a name that is not text has U+FFFD there', async () => {
    const pubsub = open({ encodingErrors: 'strict' });
    await pubsub.subscribe(INVALID_UTF8);
    expect(await pubsub.getMessage()).toMatchObject({ type: 'subscribe', channel: 'a\ufffdb', data: 1 });
    expect(pubsub.metrics().undecodable).toBe(0);
  });

  it('strict changes nothing for those who asked for bytes', async () => {
    const channel = unique();
    const received = new ReceivedMessages<'buffer'>();
    const pubsub = open({ encoding: 'buffer', encodingErrors: 'strict' });
    await pubsub.subscribe({ [channel]: received.handler });
    await pubsub.publish(channel, INVALID_UTF8);
    await received.has(1);
    expect(received.data).toEqual([INVALID_UTF8]);
  });

  it.each([{ encodingErrors: 'ignore' }, { encoding: 'latin1' }])('%j is refused', (options) => {
    expect(() => open(options as never)).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }));
  });
});

describe('encoding', () => {
  const open = engines();
  const plain = plainConnections();

  it('utf8, the default, gives channel, pattern and data as strings, for every kind of message', async () => {
    const name = `uni\u1168code${unique()}`;
    const pubsub = open();
    await pubsub.subscribe(name);
    await pubsub.psubscribe(`${name}*`);
    await pubsub.ssubscribe(name);
    await plain(pubsub.nodeOf(name)).publish(name, 'abc\u116a123');
    await pubsub.spublish(name, 'abc\u116a123');
    const seen = [];
    while (seen.length < 6) seen.push(await pubsub.getMessage({ timeout: 5_000 }));
    const data = 'abc\u116a123';
    expect(seen).toEqual(
      expect.arrayContaining([
        { type: 'subscribe', pattern: null, channel: name, data: 1 },
        { type: 'psubscribe', pattern: null, channel: `${name}*`, data: 2 },
        { type: 'ssubscribe', pattern: null, channel: name, data: 1 },
        { type: 'message', pattern: null, channel: name, data },
        { type: 'pmessage', pattern: `${name}*`, channel: name, data },
        { type: 'smessage', pattern: null, channel: name, data },
      ]),
    );
  });

  it('buffer gives them as the bytes they are', async () => {
    const name = `uni\u1168code${unique()}`;
    const pubsub = open({ encoding: 'buffer', ignoreSubscribeMessages: true });
    await pubsub.psubscribe(`${name}*`);
    await pubsub.publish(name, 'abc\u116a123');
    expect(await pubsub.getMessage({ timeout: 5_000 })).toEqual({
      type: 'pmessage',
      pattern: Buffer.from(`${name}*`),
      channel: Buffer.from(name),
      data: Buffer.from('abc\u116a123'),
    });
  });
});
