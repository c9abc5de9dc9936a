import { beforeAll, describe, expect, it } from '@jest/globals';
import type { ClusterPubSub } from '../../../src/pubsub/index.js';
import { engines } from '../../support/engines.js';
import { unique } from '../../support/names.js';
import { ownCluster } from '../../support/own-cluster.js';

describe('questions to chosen nodes', () => {
  const open = engines();
  const cluster = ownCluster({ masters: 3, replicas: 1 });
  let all: string[];
  let masters: string[];
  let pubsub: ClusterPubSub;

  beforeAll(async () => {
    all = cluster.nodes.map(({ host, port }) => `${host}:${port}`);
    masters = (await cluster.masters()).map(({ port }) => `127.0.0.1:${port}`);
  });

  const subscribeAt = async (node: string, channel: string) => {
    const one = open({ node }, { nodes: cluster.nodes });
    await one.subscribe(channel);
    await one.psubscribe(`${channel}*`);
  };

  it('count the subscriptions of each of six nodes, exactly, and all together', async () => {
    const channel = unique();
    pubsub = open({}, { nodes: cluster.nodes });
    for (const node of all) await subscribeAt(node, channel);
    for (const node of all) {
      expect(await pubsub.pubsubNumsub(channel, { nodes: node })).toEqual(new Map([[channel, 1]]));
      expect(await pubsub.pubsubChannels(channel, { nodes: [node] })).toEqual([channel]);
      expect(await pubsub.pubsubNumpat({ nodes: node })).toBe(1);
    }
    expect(await pubsub.pubsubNumsub(channel)).toEqual(new Map([[channel, 6]]));
    expect(await pubsub.pubsubNumsub(channel, { nodes: 'all' })).toEqual(new Map([[channel, 6]]));
    expect(await pubsub.pubsubNumsub(channel, { nodes: 'all-masters' })).toEqual(new Map([[channel, 3]]));
    expect(await pubsub.pubsubNumsub(channel, { nodes: 'all-replicas' })).toEqual(new Map([[channel, 3]]));
    expect(await pubsub.pubsubNumpat()).toBe(6);
  });

  it('give each node its own answer with aggregate: false', async () => {
    const channel = unique();
    pubsub = open({}, { nodes: cluster.nodes });
    await pubsub.ssubscribe(channel);
    const owner = pubsub.nodeOf(channel)!;
    const options = { nodes: 'all-masters', aggregate: false } as const;
    const counts = await pubsub.pubsubShardNumsub(channel, options);
    expect([...counts.keys()].sort()).toEqual([...masters].sort());
    for (const [node, count] of counts) expect(count.get(channel)).toBe(node === owner ? 1 : 0);
    const channels = await pubsub.pubsubShardChannels(channel, { nodes: [owner], aggregate: false });
    expect(channels).toEqual(new Map([[owner, [channel]]]));
    expect([...(await pubsub.pubsubNumpat(options)).keys()].sort()).toEqual([...masters].sort());
  });

  it('refuse a node that the cluster does not have, and what names none', async () => {
    pubsub = open({}, { nodes: cluster.nodes });
    await expect(pubsub.pubsubNumpat({ nodes: '127.0.0.1:1' })).rejects.toMatchObject({
      code: 'UNKNOWN_NODE',
    });
    await expect(pubsub.pubsubChannels('*', { nodes: ['127.0.0.1'] })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
    });
  });
});
