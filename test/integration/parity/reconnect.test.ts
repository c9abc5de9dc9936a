import { describe, expect, it } from '@jest/globals';
import { slotOf } from '../../../src/pubsub/common/channel-name.js';
import type { ClusterPubSub, PubSubMessage } from '../../../src/pubsub/index.js';
import { engines } from '../../support/engines.js';
import { ReceivedMessages } from '../../support/messages.js';
import { unique } from '../../support/names.js';
import { ownCluster } from '../../support/own-cluster.js';
import { plainConnections } from '../../support/plain-connections.js';
import { next } from '../../support/waiting.js';

describe('after its connections were killed, an object', () => {
  const open = engines();
  const plain = plainConnections();
  const cluster = ownCluster({ masters: 3, replicas: 0 });

  /** Kills the connections that carry subscriptions; resolves when what stood there stands again. */
  async function kill(pubsub: ClusterPubSub | ClusterPubSub<'buffer'>): Promise<void> {
    const back = new Promise<void>((resolve) => {
      pubsub.on('status', (status) => {
        if (status === 'connected') resolve();
      });
    });
    for (const { port } of cluster.nodes) await plain(port).client('KILL', 'TYPE', 'PUBSUB');
    await back;
  }

  it('has channels, patterns and shard channels with their handlers, also where their names are no text', async () => {
    const names = ['text', 'uni\u1168code', Buffer.from([0x80, 0x81, 0x00])].map((name) =>
      Buffer.concat([Buffer.from(name), Buffer.from(unique())]),
    );
    const [pubsub, publisher] = [
      open({ encoding: 'buffer' }, { nodes: cluster.nodes }),
      open({}, { nodes: cluster.nodes }),
    ];
    const [classic, matched, sharded] = [0, 1, 2].map(() => new ReceivedMessages<'buffer'>());
    for (const name of names) {
      await pubsub.subscribe(new Map([[name, classic!.handler]]));
      await pubsub.psubscribe(new Map([[Buffer.concat([name, Buffer.from('*')]), matched!.handler]]));
      await pubsub.ssubscribe(new Map([[name, sharded!.handler]]));
    }
    await kill(pubsub);
    for (const name of names) {
      // More where a pattern stands at the channel's owner.
      expect(await publisher.publish(name, 'classic')).toBeGreaterThanOrEqual(1);
      expect(await publisher.spublish(name, 'sharded')).toBe(1);
    }
    for (const received of [classic!, matched!, sharded!]) {
      await received.has(names.length);
      expect(received.messages.map(({ channel }) => channel.toString('hex')).sort()).toEqual(
        names.map((name) => name.toString('hex')).sort(),
      );
    }
  });

  it.each<[string, (pubsub: ClusterPubSub) => Promise<PubSubMessage | null>]>([
    ['getMessage', (pubsub) => pubsub.getMessage({ timeout: null })],
    [
      'listen',
      async (pubsub) => {
        for await (const message of pubsub.listen()) return message;
        return null;
      },
    ],
  ])('goes on to be read by %s, which waited all the time', async (_method, read) => {
    const channel = unique();
    const pubsub = open({}, { nodes: cluster.nodes });
    await pubsub.subscribe(channel);
    expect(await read(pubsub)).toMatchObject({ type: 'subscribe', channel, data: 1 });
    const waiting = read(pubsub);
    const gap = next(pubsub, 'gap');
    await kill(pubsub);
    expect(await gap).toMatchObject({ names: [channel], reason: 'connection-lost' });
    await pubsub.publish(channel, 'after');
    expect(await waiting).toMatchObject({ type: 'message', data: 'after' });
  });
});

describe('a shard channel', () => {
  const open = engines();
  const cluster = ownCluster({ masters: 3, replicas: 0 });

  it('does not undo an end that was asked for while its slot moved', async () => {
    const channel = unique();
    const pubsub = open({}, { nodes: cluster.nodes });
    await pubsub.ssubscribe(channel);
    const slot = slotOf(channel);
    const owner = await cluster.ownerOf(slot);
    const target = (await cluster.masters()).find(({ port }) => port !== owner.port)!;
    const moved = cluster.moveSlot(slot, target);
    await pubsub.sunsubscribe(channel);
    await moved;
    expect(await pubsub.spublish(channel, '', { verifyZero: true })).toBe(0);
    expect(await pubsub.pubsubShardNumsub(channel)).toEqual(new Map([[channel, 0]]));
    expect(pubsub.shardChannels.size).toBe(0);
  });
});
