import { afterEach, describe, expect, it } from '@jest/globals';
import { Cluster, type ClusterOptions } from 'ioredis';
import { engines } from '../../../support/engines.js';
import { ReceivedMessages } from '../../../support/messages.js';
import { unique, uniques } from '../../../support/names.js';
import { sharedCluster } from '../../../support/shared-cluster.js';

describe("an ioredis Cluster of the caller's", () => {
  const open = engines();
  let cluster: Cluster | undefined;

  afterEach(() => {
    cluster?.disconnect();
  });

  const connect = (options: ClusterOptions = {}): Cluster => {
    cluster = new Cluster(sharedCluster().slice(0, 1), options);
    return cluster;
  };

  it.each([
    ['as it is', (given: Cluster) => given],
    ['as an option', (given: Cluster) => ({ cluster: given })],
  ])('serves %s, and is not closed', async (_what, source) => {
    const given = connect();
    await given.set(unique('key'), 'x');
    const channels = uniques(10);
    const pubsub = open({}, source(given));
    const received = new ReceivedMessages();
    await pubsub.subscribe(Object.fromEntries(channels.map((name) => [name, received.handler])));
    expect(await Promise.all(channels.map((name) => pubsub.publish(name, '')))).toEqual(
      channels.map(() => 1),
    );
    await received.has(10);
    await pubsub.close();
    expect(given.status).toBe('ready');
    expect(await given.set(unique('key'), 'x')).toBe('OK');
  });

  it('serves while it is connecting, and when it was never connected', async () => {
    const channel = unique();
    const connecting = open({}, connect());
    await connecting.subscribe(channel);
    cluster?.disconnect();

    const lazy = connect({ lazyConnect: true });
    const pubsub = open({}, lazy);
    expect(await pubsub.publish(channel, '')).toBe(1);
    expect(lazy.status).toBe('wait');
  });

  it('gives its options, unless others are given', async () => {
    const seen: string[] = [];
    const given = connect({
      lazyConnect: true,
      dnsLookup: (host, done) => {
        seen.push(host);
        done(null, host);
      },
    });
    await open({}, given).connect();
    expect(seen).not.toEqual([]);
    seen.length = 0;
    await open({}, { cluster: given, clusterOptions: {} }).connect();
    expect(seen).toEqual([]);
  });
});

describe('the protocol', () => {
  const open = engines();

  it.each([2, 3] as const)('RESP%i serves everything', async (protocol) => {
    const pubsub = open(
      { ignoreSubscribeMessages: true },
      { nodes: sharedCluster(), clusterOptions: { redisOptions: { protocol } } },
    );
    const channel = unique();
    await pubsub.subscribe(channel);
    await pubsub.ssubscribe(channel);
    await pubsub.psubscribe(`${channel}*`);
    await pubsub.spublish(channel, 'sharded');
    expect(await pubsub.getMessage({ timeout: 5_000 })).toMatchObject({ type: 'smessage' });
    await pubsub.publish(channel, 'classic');
    const types = [];
    while (types.length < 2) types.push((await pubsub.getMessage({ timeout: 5_000 }))?.type);
    expect(types.sort()).toEqual(['message', 'pmessage']);
    // ioredis's reader would leave subscriber mode with the last shard channel; the classic ones must go on.
    await pubsub.sunsubscribe();
    await pubsub.punsubscribe();
    expect(await pubsub.publish(channel, 'still')).toBe(1);
    expect(await pubsub.getMessage({ timeout: 5_000 })).toMatchObject({ type: 'message', data: 'still' });
    expect(await pubsub.pubsubNumsub(channel)).toEqual(new Map([[channel, 1]]));
    expect(await pubsub.pubsubChannels(channel)).toEqual([channel]);
  });
});
