import { describe, expect, it, jest } from '@jest/globals';
import { once } from 'node:events';
import type { ClusterPubSubError } from '../../../../src/pubsub/index.js';
import { engines } from '../../../support/engines.js';
import { ReceivedMessages, settledBy } from '../../../support/messages.js';
import { unique } from '../../../support/names.js';

describe('a handler', () => {
  const open = engines();

  it('gets the messages of its subscription and the node they came from; getMessage gets the others', async () => {
    const [handled, read] = [unique('handled'), unique('read')];
    const pubsub = open({ ignoreSubscribeMessages: true });
    const handler = jest.fn();
    await pubsub.subscribe({ [handled]: handler }, read);
    await pubsub.publish(handled, 'one');
    await pubsub.publish(read, 'two');
    expect(await pubsub.getMessage({ timeout: 1_000 })).toEqual({
      type: 'message',
      pattern: null,
      channel: read,
      data: 'two',
    });
    expect(handler.mock.calls).toEqual([
      [{ type: 'message', pattern: null, channel: handled, data: 'one' }, pubsub.nodeOf(handled)],
    ]);
    expect(await pubsub.getMessage()).toBeNull();
  });

  it('gets the same shape of message for all three kinds of subscription', async () => {
    const name = unique();
    const pubsub = open();
    const received = new ReceivedMessages();
    await pubsub.psubscribe({ [`${name}*`]: received.handler });
    await pubsub.ssubscribe({ [name]: received.handler });
    await pubsub.spublish(name, 'sharded');
    await received.has(1);
    await pubsub.publish(name, 'classic');
    await received.has(2);
    expect(received.messages).toEqual([
      { type: 'smessage', pattern: null, channel: name, data: 'sharded' },
      { type: 'pmessage', pattern: `${name}*`, channel: name, data: 'classic' },
    ]);
  });

  it('is replaced by the next one, and by none', async () => {
    const channel = unique();
    const pubsub = open({ ignoreSubscribeMessages: true });
    const [first, second] = [new ReceivedMessages(), new ReceivedMessages()];
    await pubsub.subscribe({ [channel]: first.handler });
    await pubsub.subscribe({ [channel]: second.handler });
    await pubsub.publish(channel, 'to the second');
    await second.has(1);
    expect(first.messages).toEqual([]);
    await pubsub.subscribe(channel);
    await pubsub.publish(channel, 'to be read');
    expect(await pubsub.getMessage({ timeout: 1_000 })).toMatchObject({ data: 'to be read' });
    expect(second.data).toEqual(['to the second']);
  });

  it.each<[string, () => unknown]>([
    [
      'throws',
      () => {
        throw new Error('boom');
      },
    ],
    ['rejects', () => Promise.reject(new Error('boom'))],
  ])('that %s is reported, and everything else goes on', async (_what, fail) => {
    const [failing, good] = [unique('failing'), unique('good')];
    const pubsub = open();
    const received = new ReceivedMessages();
    await pubsub.subscribe({ [failing]: fail, [good]: received.handler });

    const error = once(pubsub, 'error');
    await pubsub.publish(failing, 'secret payload');
    const [reported] = (await error) as [ClusterPubSubError];
    expect(reported).toMatchObject({ code: 'HANDLER_FAILED', cause: { message: 'boom' } });
    expect(reported.message).toContain(failing);
    expect(reported.message).not.toContain('secret payload');

    await pubsub.publish(good, 'still here');
    await received.has(1);
    expect(await pubsub.publish(failing, 'again')).toBe(1);
  });

  it('that fails ends nothing without an error listener', async () => {
    const channel = unique();
    const pubsub = open();
    const received = new ReceivedMessages();
    await pubsub.subscribe({
      [channel]: async (message) => {
        received.handler(message);
        if (message.data === 'bad') throw new Error('boom');
      },
    });
    await pubsub.publish(channel, 'bad');
    await pubsub.publish(channel, 'good');
    await received.has(2);
    expect(received.data).toEqual(['bad', 'good']);
  });

  it('may subscribe, unsubscribe and publish itself', async () => {
    const [first, second] = [unique('first'), unique('second')];
    const pubsub = open();
    const received = new ReceivedMessages();
    await pubsub.subscribe({
      [first]: async () => {
        await pubsub.unsubscribe(first);
        await pubsub.subscribe({ [second]: received.handler });
        await pubsub.publish(second, 'from within');
      },
    });
    await pubsub.publish(first, 'go');
    await received.has(1);
    expect(pubsub.channels).toEqual(new Set([second]));
  });

  it('is called no more once its subscription has ended', async () => {
    const channel = unique();
    const [pubsub, other] = [open(), open()];
    const [received, witness] = [new ReceivedMessages(), new ReceivedMessages()];
    await pubsub.subscribe({ [channel]: received.handler });
    await other.subscribe({ [channel]: witness.handler });
    await pubsub.unsubscribe(channel);
    await settledBy(other, channel, witness);
    expect(received.messages).toEqual([]);
  });
});
