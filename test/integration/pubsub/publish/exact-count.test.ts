import { describe, expect, it } from '@jest/globals';
import { engines } from '../../../support/engines.js';
import { ReceivedMessages } from '../../../support/messages.js';
import { unique, uniques } from '../../../support/names.js';
import { plainConnections } from '../../../support/plain-connections.js';
import { sharedCluster } from '../../../support/shared-cluster.js';

describe('the count of a publish', () => {
  const open = engines();
  const plain = plainConnections();

  it.each(['publish', 'spublish'] as const)(
    '(%s) is exactly that of the subscribers, whatever nodes they connect through, and each gets the message once',
    async (publish) => {
      const nodes = sharedCluster();
      const channels = uniques(200);
      const subscribers = nodes.slice(0, 5).map((node) => open({}, { nodes: [node] }));
      const allReceived = subscribers.map(() => new ReceivedMessages());
      await Promise.all(
        subscribers.map((subscriber, index) => {
          const handlers = Object.fromEntries(channels.map((name) => [name, allReceived[index]!.handler]));
          return publish === 'publish' ? subscriber.subscribe(handlers) : subscriber.ssubscribe(handlers);
        }),
      );

      const publisher = open({}, { nodes: [nodes[5]!] });
      const counts = await Promise.all(channels.map((name) => publisher[publish](name, `to ${name}`)));

      expect(new Set(channels.map((name) => publisher.nodeOf(name))).size).toBe(3);
      expect(counts).toEqual(channels.map(() => 5));
      for (const received of allReceived) {
        await received.has(channels.length);
        expect(received.messages.map(({ channel }) => channel).sort()).toEqual([...channels].sort());
        expect(received.messages.every(({ channel, data }) => data === `to ${channel}`)).toBe(true);
      }
    },
  );

  it('is 0 without subscribers, and follows subscribers as they come and go', async () => {
    const channel = unique();
    const [publisher, ...subscribers] = [open(), open(), open()];
    expect(await publisher.publish(channel, '')).toBe(0);
    await subscribers[0].subscribe(channel);
    await subscribers[1].subscribe(channel);
    expect(await publisher.publish(channel, '')).toBe(2);
    await subscribers[0].unsubscribe(channel);
    expect(await publisher.publish(channel, '')).toBe(1);
    await subscribers[1].close();
    expect(await publisher.publish(channel, '')).toBe(0);
  });

  it('keeps classic and shard channels of one name apart', async () => {
    const name = unique();
    const [publisher, subscriber] = [open(), open()];
    await subscriber.subscribe(name);
    expect(await publisher.publish(name, '')).toBe(1);
    expect(await publisher.spublish(name, '')).toBe(0);
    await subscriber.ssubscribe(name);
    expect(await publisher.spublish(name, '')).toBe(1);
  });

  it('counts a foreign subscriber at the owner of the channel', async () => {
    const channel = unique();
    const publisher = open();
    await publisher.connect();
    const foreign = plain(publisher.nodeOf(channel));
    await foreign.subscribe(channel);
    expect(await publisher.publish(channel, '')).toBe(1);
  });

  it('counts patterns on request, on the node that holds them', async () => {
    const channel = unique();
    const [publisher, one, other] = [open(), open(), open()];
    await one.psubscribe(`${channel}*`);
    await other.psubscribe(`${channel}*`);
    expect(await publisher.publish(channel, '', { via: 'patterns' })).toBe(2);
  });

  it('of 0 can be verified at the owner', async () => {
    const channel = unique();
    const [publisher, subscriber] = [open(), open()];
    expect(await publisher.publish(channel, '', { verifyZero: true })).toBe(0);
    await subscriber.ssubscribe(channel);
    expect(await publisher.spublish(channel, '', { verifyZero: true })).toBe(1);
  });
});
