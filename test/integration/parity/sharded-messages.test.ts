import { describe, expect, it } from '@jest/globals';
import { engines } from '../../support/engines.js';
import { unique, uniques } from '../../support/names.js';

describe('getShardedMessage', () => {
  const open = engines();

  it('gives confirmations and messages of shard channels, and leaves the others to getMessage', async () => {
    const channel = unique();
    const pubsub = open();
    await pubsub.subscribe(channel);
    await pubsub.ssubscribe(channel);
    await pubsub.publish(channel, 'classic');
    await pubsub.spublish(channel, 'sharded');
    expect(await pubsub.getShardedMessage()).toMatchObject({ type: 'ssubscribe', data: 1 });
    expect(await pubsub.getShardedMessage({ timeout: 5_000 })).toEqual({
      type: 'smessage',
      pattern: null,
      channel,
      data: 'sharded',
    });
    expect(await pubsub.getShardedMessage()).toBeNull();
    expect(await pubsub.getMessage()).toMatchObject({ type: 'subscribe' });
    expect(await pubsub.getMessage({ timeout: 5_000 })).toMatchObject({ data: 'classic' });
  });

  it('waits for one, while others are read past it', async () => {
    const channel = unique();
    const pubsub = open({ ignoreSubscribeMessages: true });
    await pubsub.subscribe(channel);
    await pubsub.ssubscribe(channel);
    const sharded = pubsub.getShardedMessage({ timeout: null });
    await pubsub.publish(channel, 'classic');
    expect(await pubsub.getMessage({ timeout: 5_000 })).toMatchObject({ data: 'classic' });
    await pubsub.spublish(channel, 'sharded');
    expect(await sharded).toMatchObject({ data: 'sharded' });
    expect(await pubsub.getShardedMessage({ timeout: 20 })).toBeNull();
  });

  it('gives what came for the channels of one node, when asked to', async () => {
    const pubsub = open({ ignoreSubscribeMessages: true });
    const channels = uniques(60);
    await pubsub.ssubscribe(channels);
    const nodes = new Set(channels.map((channel) => pubsub.nodeOf(channel)!));
    expect(nodes.size).toBe(3);
    for (const channel of channels) await pubsub.spublish(channel, channel);
    for (const node of nodes) {
      const mine = channels.filter((channel) => pubsub.nodeOf(channel) === node);
      const seen = [];
      while (seen.length < mine.length) {
        seen.push((await pubsub.getShardedMessage({ node, timeout: 5_000 }))?.data);
      }
      expect(seen).toEqual(mine);
      expect(await pubsub.getShardedMessage({ node })).toBeNull();
    }
  });

  it('gives those of channels whose names are no text to the node that has their slots', async () => {
    const pubsub = open();
    for (const channel of uniques(12)) {
      const name = Buffer.concat([Buffer.of(0xff, 0xfe), Buffer.from(channel)]);
      await pubsub.ssubscribe(name);
      const node = pubsub.nodeOf(name)!;
      expect(await pubsub.getShardedMessage({ node })).toMatchObject({ type: 'ssubscribe' });
      await pubsub.spublish(name, channel);
      expect(await pubsub.getShardedMessage({ node, timeout: 5_000 })).toMatchObject({ data: channel });
    }
  });

  it('refuses a node that the cluster does not have, and a host without a port', async () => {
    const pubsub = open();
    await expect(pubsub.getShardedMessage({ node: '127.0.0.1:1' })).rejects.toMatchObject({
      code: 'UNKNOWN_NODE',
      node: '127.0.0.1:1',
    });
    await expect(pubsub.getShardedMessage({ node: '127.0.0.1' })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
    });
  });

  it('ends with null on close, and rejects after it', async () => {
    const pubsub = open();
    const waiting = pubsub.getShardedMessage({ timeout: null });
    await pubsub.close();
    expect(await waiting).toBeNull();
    await expect(pubsub.getShardedMessage()).rejects.toMatchObject({ code: 'CLOSED' });
  });
});
