import { beforeEach, describe, expect, it } from '@jest/globals';
import type { ClusterNode } from 'ioredis';
import type { ClusterPubSub } from '../../../../src/pubsub/index.js';
import { engines } from '../../../support/engines.js';
import { unique, uniques } from '../../../support/names.js';
import { plainConnections } from '../../../support/plain-connections.js';
import { sharedCluster } from '../../../support/shared-cluster.js';

describe('questions to all nodes', () => {
  const open = engines();
  const plain = plainConnections();
  let pubsub: ClusterPubSub;

  beforeEach(() => {
    pubsub = open();
  });

  it('find the channels of all masters, sorted, each once', async () => {
    const channels = uniques(20);
    await pubsub.subscribe(channels);
    await open().subscribe(channels[0]!);
    const pattern = `${channels[0]!.slice(0, -1)}*`;
    expect(await pubsub.pubsubChannels(pattern)).toEqual([...channels].sort());
    expect(await pubsub.pubsubChannels()).toEqual(expect.arrayContaining(channels));
    expect(await pubsub.pubsubShardChannels(pattern)).toEqual([]);
  });

  it('find the shard channels apart from the others', async () => {
    const channels = uniques(20);
    await pubsub.ssubscribe(channels);
    const pattern = `${channels[0]!.slice(0, -1)}*`;
    expect(await pubsub.pubsubShardChannels(pattern)).toEqual([...channels].sort());
    expect(await pubsub.pubsubChannels(pattern)).toEqual([]);
  });

  it('sum the subscribers of each channel, foreign ones at a replica too', async () => {
    const [popular, lonely] = [unique('popular'), unique('lonely')];
    await pubsub.subscribe(popular);
    await open().subscribe(popular);
    const replica = await aReplica();
    await plain(replica).subscribe(popular);
    expect(await pubsub.pubsubNumsub(popular, lonely)).toEqual(
      new Map([
        [popular, 3],
        [lonely, 0],
      ]),
    );
    expect(await pubsub.pubsubNumsub()).toEqual(new Map());
  });

  it('give the answer of each node when asked for', async () => {
    const channel = unique();
    await pubsub.subscribe(channel);
    const perNode = await pubsub.pubsubNumsub(channel, { aggregate: false });
    expect([...perNode.keys()].sort()).toEqual(addresses().sort());
    for (const [node, counts] of perNode) {
      expect(counts.get(channel)).toBe(node === pubsub.nodeOf(channel) ? 1 : 0);
    }
    const channels = await pubsub.pubsubChannels(channel, { aggregate: false });
    expect(channels.get(pubsub.nodeOf(channel)!)).toEqual([channel]);
    expect([...channels.values()].flat()).toEqual([channel]);
  });

  it('count the subscribers of shard channels', async () => {
    const channel = unique();
    await pubsub.ssubscribe(channel);
    await open().ssubscribe(channel);
    expect(await pubsub.pubsubShardNumsub(channel)).toEqual(new Map([[channel, 2]]));
    const perNode = await pubsub.pubsubShardNumsub(channel, { aggregate: false });
    expect(perNode.get(pubsub.nodeOf(channel)!)?.get(channel)).toBe(2);
  });

  it('count the patterns', async () => {
    const perNode = await pubsub.pubsubNumpat({ aggregate: false });
    expect([...perNode.keys()].sort()).toEqual(addresses().sort());
    const patterns = uniques(5);
    await pubsub.psubscribe(patterns);
    expect(await pubsub.pubsubNumpat()).toBeGreaterThanOrEqual(5);
  });

  it('take names as they are, with special characters', async () => {
    const name = `line\n žluť ${unique()}`;
    await pubsub.subscribe(name);
    expect(await pubsub.pubsubNumsub(name)).toEqual(new Map([[name, 1]]));
    expect(await pubsub.pubsubChannels(name)).toEqual([name]);
  });

  it('distinguish channels byte for byte, and name them as the caller did', async () => {
    const base = unique();
    const [one, other] = [0xfe, 0xff].map((byte) => Buffer.concat([Buffer.from(base), Buffer.of(byte)]));
    await pubsub.subscribe(one!, other!);
    await open().subscribe(one!);
    expect([...(await pubsub.pubsubNumsub(one!, other!))]).toEqual([
      [one, 2],
      [other, 1],
    ]);
    expect((await pubsub.pubsubNumsub(other!, one!)).get(one!)).toBe(2);
    const perNode = await pubsub.pubsubNumsub(one!, other!, { aggregate: false });
    expect(perNode.get(pubsub.nodeOf(one!)!)?.get(one!)).toBe(2);
    expect(await pubsub.pubsubChannels(`${base}*`)).toHaveLength(2);
    const binary = open({ encoding: 'buffer' });
    expect(await binary.pubsubChannels(`${base}*`)).toEqual([one, other]);
    await pubsub.ssubscribe(other!);
    expect(await binary.pubsubShardChannels(`${base}*`, { aggregate: false })).toEqual(
      new Map(addresses().map((node) => [node, node === pubsub.nodeOf(other!) ? [other] : []])),
    );
    const { numsub, reasons } = await pubsub.health({ channels: [one!, other!], minSubscribers: 2 });
    expect(numsub).toEqual({ [`${base}\\xfe`]: 2, [`${base}\\xff`]: 1 });
    expect(reasons.join()).toContain(`"${base}\\xff" has 1 of 2`);
  });

  it.each([[{ aggregate: false }], [5], [null]])(
    'refuse %j in the place of the pattern, and harm nobody else',
    async (pattern) => {
      const channel = unique();
      await pubsub.subscribe(channel);
      const refused = expect(pubsub.pubsubChannels(pattern as unknown as string)).rejects.toMatchObject({
        code: 'INVALID_ARGUMENT',
        message: expect.stringContaining('The first argument must be a pattern'),
      });
      expect(await pubsub.publish(channel, 'beside it')).toBe(1);
      await refused;
      expect(await pubsub.pubsubChannels(channel)).toEqual([channel]);
    },
  );

  it.each([[null], ['all'], [{ aggregate: 'no' }], [{ nodes: [] }], [{ nodes: null }]])(
    'refuse %j for options',
    async (options) => {
      const error = { code: 'INVALID_ARGUMENT' };
      await expect(pubsub.pubsubNumpat(options as object)).rejects.toMatchObject(error);
    },
  );

  it.each([[5], [['a', 'b']], [null], [new Uint8Array([97])], [new Set(['a'])]])(
    'refuse %j as a name',
    async (name) => {
      await expect(pubsub.pubsubNumsub(name as unknown as string)).rejects.toMatchObject({
        code: 'INVALID_ARGUMENT',
      });
    },
  );

  async function aReplica(): Promise<number> {
    await pubsub.connect();
    for (const port of ports()) {
      if ((await plain(port).info('replication')).includes('role:slave')) return port;
    }
    throw new Error('The shared cluster has no replica.');
  }
});

function ports(): number[] {
  return sharedCluster().map((node: ClusterNode) => (node as { port: number }).port);
}

function addresses(): string[] {
  return ports().map((port) => `127.0.0.1:${port}`);
}
