import { describe, expect, it } from '@jest/globals';
import type { ClusterNode } from 'ioredis';
import { engines } from '../../../support/engines.js';
import { ReceivedMessages, settledBy } from '../../../support/messages.js';
import { unique, uniques } from '../../../support/names.js';
import { plainConnections } from '../../../support/plain-connections.js';
import { sharedCluster } from '../../../support/shared-cluster.js';

describe('a pattern', () => {
  const open = engines();
  const plain = plainConnections();

  it('receives classic channels of every master, each message once', async () => {
    const base = unique();
    const channels = Array.from({ length: 60 }, (_, index) => `${base}.${index}`);
    const [publisher, subscriber] = [open(), open()];
    const received = new ReceivedMessages();
    await subscriber.psubscribe({ [`${base}.*`]: received.handler });
    await Promise.all(channels.map((channel) => publisher.publish(channel, channel)));
    await received.has(channels.length);
    await settledBy(publisher, `${base}.last`, received);
    expect(new Set(channels.map((channel) => publisher.nodeOf(channel))).size).toBe(3);
    expect(received.data.slice(0, -1).sort()).toEqual([...channels].sort());
    expect(received.messages[0]).toMatchObject({ type: 'pmessage', pattern: `${base}.*` });
  });

  it('receives no shard channels', async () => {
    const base = unique();
    const pubsub = open();
    const received = new ReceivedMessages();
    await pubsub.psubscribe({ [`${base}*`]: received.handler });
    expect(await pubsub.spublish(`${base}.a`, 'sharded')).toBe(0);
    await settledBy(pubsub, `${base}.b`, received);
    expect(received.messages).toHaveLength(1);
  });

  it.each([
    ['h?llo', 'hello', 'hllo'],
    ['h[ae]llo', 'hallo', 'hillo'],
    ['h\\*llo', 'h*llo', 'hxllo'],
    ['ž*🐎', 'žluť🐎', 'zlut🐎'],
  ])('%s matches %s and not %s', async (glob, yes, no) => {
    const base = unique();
    const pubsub = open();
    const received = new ReceivedMessages();
    await pubsub.psubscribe({ [`${base}.${glob}`]: received.handler });
    await pubsub.publish(`${base}.${no}`, 'no');
    await pubsub.publish(`${base}.${yes}`, 'yes');
    await received.has(1);
    expect(received.data).toEqual(['yes']);
  });

  it('and a name that both match get a message each', async () => {
    const channel = unique();
    const pubsub = open();
    const received = new ReceivedMessages();
    await pubsub.subscribe({ [channel]: received.handler });
    await pubsub.psubscribe({ [`${channel}*`]: received.handler });
    await pubsub.publish(channel, 'x');
    await received.has(2);
    expect(received.messages.map(({ type }) => type).sort()).toEqual(['message', 'pmessage']);
  });

  it('may hold bytes that are no text', async () => {
    const tail = unique();
    const pattern = Buffer.concat([Buffer.from([0xff]), Buffer.from(`${tail}*`)]);
    const channel = Buffer.concat([Buffer.from([0xff]), Buffer.from(`${tail}.a`)]);
    const pubsub = open({ encoding: 'buffer', ignoreSubscribeMessages: true });
    await pubsub.psubscribe(pattern);
    await pubsub.publish(channel, 'x');
    expect(await pubsub.getMessage({ timeout: 5_000 })).toEqual({
      type: 'pmessage',
      pattern,
      channel,
      data: Buffer.from('x'),
    });
  });

  it('and a name receive what a foreign program publishes at any node, once each', async () => {
    const channel = unique();
    const pubsub = open();
    const [exact, matched] = [new ReceivedMessages(), new ReceivedMessages()];
    await pubsub.subscribe({ [channel]: exact.handler });
    await pubsub.psubscribe({ [`${channel}*`]: matched.handler });
    const ports = sharedCluster().map((node: ClusterNode) => (node as { port: number }).port);
    for (const port of ports) await plain(port).publish(channel, `from ${port}`);
    for (const received of [exact, matched]) {
      await received.has(ports.length);
      await settledBy(pubsub, channel, received);
      expect(received.data.filter((data) => data.startsWith('from')).sort()).toEqual(
        ports.map((port) => `from ${port}`).sort(),
      );
    }
  });

  it('and names in great number are confirmed and removed together', async () => {
    const names = uniques(1_200);
    const pubsub = open({ ignoreSubscribeMessages: true });
    await pubsub.psubscribe(names);
    await pubsub.subscribe(names);
    expect([...(await pubsub.pubsubNumsub(...names)).values()]).toEqual(names.map(() => 1));
    await pubsub.reset();
    expect([...(await pubsub.pubsubNumsub(...names)).values()]).toEqual(names.map(() => 0));
  });
});
