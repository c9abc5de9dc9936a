import { describe, expect, it } from '@jest/globals';
import { engines } from '../../support/engines.js';
import { ReceivedMessages } from '../../support/messages.js';
import { unique, uniques } from '../../support/names.js';
import { ownCluster } from '../../support/own-cluster.js';
import { plainConnections, portOf } from '../../support/plain-connections.js';
import { eventually, next } from '../../support/waiting.js';

describe('a pinned node', () => {
  const open = engines();
  const plain = plainConnections();
  const cluster = ownCluster({ masters: 3, replicas: 1 });

  const source = () => ({ nodes: cluster.nodes });
  const numsub = async (port: number, channel: string) =>
    ((await plain(port).pubsub('NUMSUB', channel)) as [string, number])[1];

  it('carries the channels and patterns of its object, be it a master or a replica', async () => {
    for (const { host, port } of cluster.nodes) {
      const channels = uniques(5);
      const received = new ReceivedMessages();
      const pubsub = open({ node: { host, port } }, source());
      const publisher = open({}, source());
      await pubsub.subscribe(Object.fromEntries(channels.map((channel) => [channel, received.handler])));
      await pubsub.psubscribe(`${channels[0]!}*`);
      expect(pubsub.node).toBe(`${host}:${port}`);
      for (const channel of channels) {
        expect(await numsub(port, channel)).toBe(1);
        await publisher.publish(channel, channel);
      }
      await received.has(channels.length);
      expect(received.data.sort()).toEqual([...channels].sort());
      expect(await plain(port).pubsub('NUMPAT')).toBe(1);
    }
  });

  it('of one call carries the names of that call; the rest is active on its owner', async () => {
    const [pinned, home] = [unique('pinned'), unique('home')];
    const pubsub = open({}, source());
    await pubsub.subscribe(home);
    const owner = pubsub.nodeOf(pinned);
    const other = cluster.nodes.find(({ port }) => port !== portOf(owner))!;
    const received = new ReceivedMessages();
    await pubsub.subscribe({ [pinned]: received.handler }, { nodes: `${other.host}:${other.port}` });
    expect(await numsub(other.port, pinned)).toBe(1);
    expect(await numsub(portOf(owner), pinned)).toBe(0);
    expect(await numsub(portOf(pubsub.nodeOf(home)), home)).toBe(1);
    expect(pubsub.node).toBeUndefined();
    // The bus brings it, but the count is the owner's.
    expect(await pubsub.publish(pinned, 'by the bus')).toBe(0);
    await received.has(1);
    await pubsub.unsubscribe();
    expect(await numsub(other.port, pinned)).toBe(0);
  });

  it('does not apply to shard channels, which are active where their slots are', async () => {
    const channels = uniques(10);
    const received = new ReceivedMessages();
    const { host, port } = cluster.nodes[0]!;
    const pubsub = open({ node: { host, port } }, source());
    await pubsub.ssubscribe(Object.fromEntries(channels.map((channel) => [channel, received.handler])));
    for (const channel of channels) expect(await pubsub.spublish(channel, '')).toBe(1);
    await received.has(channels.length);
    await expect(pubsub.ssubscribe(unique(), { nodes: `${host}:${port}` } as never)).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
    });
  });

  it('that the cluster does not have is an error that names the nodes it has', async () => {
    const { port } = cluster.nodes[0]!;
    const unknown = { code: 'UNKNOWN_NODE', node: '127.0.0.1:1' };
    const pubsub = open({ node: { host: '127.0.0.1', port: 1 } }, source());
    await expect(pubsub.connect()).rejects.toMatchObject(unknown);
    await expect(pubsub.subscribe(unique())).rejects.toThrow(`127.0.0.1:${port}`);
    const another = open({}, source());
    await expect(another.subscribe(unique(), { nodes: '127.0.0.1:1' })).rejects.toMatchObject(unknown);
    expect(another.subscribed).toBe(false);
  });

  it.each([{ host: '127.0.0.1' }, { port: 7000 }, { host: '127.0.0.1', port: 70_000 }, '127.0.0.1', 5, null])(
    'is named by host and port: %j is refused',
    async (node) => {
      expect(() => open({ node: node as never }, source())).toThrow(
        expect.objectContaining({ code: 'INVALID_ARGUMENT' }),
      );
      await expect(open({}, source()).subscribe(unique(), { nodes: node as never })).rejects.toMatchObject({
        code: 'INVALID_ARGUMENT',
      });
    },
  );

  it('does not take a name that is subscribed elsewhere already', async () => {
    const channel = unique();
    const { host, port } = cluster.nodes[0]!;
    const pubsub = open({}, source());
    await pubsub.subscribe(channel);
    await expect(pubsub.subscribe(channel, { nodes: { host, port } })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
    });
    expect(await pubsub.publish(channel, '')).toBe(1);
    await pubsub.unsubscribe(channel);
    await pubsub.subscribe(channel, { nodes: { host, port } });
    expect(await numsub(port, channel)).toBe(1);
  });

  it('keeps what it carries through a failover, and gets it back after its death', async () => {
    const [replica] = await cluster.replicas();
    const channel = unique();
    const received = new ReceivedMessages();
    const { host, port } = replica!;
    const [pubsub, publisher] = [open({ node: { host, port } }, source()), open({}, source())];
    await pubsub.subscribe({ [channel]: received.handler });
    await cluster.failover(replica!);
    await publisher.publish(channel, 'to the new master');
    await received.has(1);

    const gap = next(pubsub, 'gap');
    await cluster.kill(replica!);
    await cluster.settled();
    await cluster.restart(replica!);
    expect(await gap).toMatchObject({ names: [channel], node: `${host}:${port}`, reason: 'connection-lost' });
    await publisher.publish(channel, 'after the restart');
    await received.has(2);
    expect(received.data).toEqual(['to the new master', 'after the restart']);
  });

  it('that leaves the cluster alive is reported as interrupted, and as a gap when it is back', async () => {
    const [replica] = await cluster.replicas();
    const { host, port } = replica!;
    const node = `${host}:${port}`;
    const channel = unique();
    const received = new ReceivedMessages();
    const clusterOptions = { slotsRefreshInterval: 200 };
    const pubsub = open({ node }, { ...source(), clusterOptions });
    const publisher = open({}, source());
    await pubsub.subscribe({ [channel]: received.handler });
    const losses: unknown[] = [];
    pubsub.on('interrupted', (loss) => losses.push(loss));
    const told = [next(pubsub, 'interrupted'), next(pubsub, 'error')] as const;
    const id = await plain(port).cluster('MYID');
    await plain(port).call('CLUSTER', 'RESET', 'HARD');
    const others = cluster.nodes.filter((other) => other.port !== port);
    for (const other of others) await plain(other.port).call('CLUSTER', 'FORGET', id);
    const [lost, error] = await Promise.all(told);
    expect(lost).toMatchObject({ names: [channel], node, reason: 'connection-lost' });
    expect(error).toMatchObject({ code: 'UNKNOWN_NODE', node });
    expect(pubsub.status).toBe('reconnecting');
    expect(pubsub.metrics()).toMatchObject({ desired: 1, confirmed: 0 });
    await publisher.publish(channel, 'to the cluster that was');
    // What ends later, with the node, is no second loss.
    const cut = eventually(() => pubsub.metrics().connectionsLost === 1, 'the connection has ended');
    await plain(port).client('KILL', 'TYPE', 'PUBSUB');
    await cut;

    const gap = next(pubsub, 'gap');
    await plain(replica!.masterPort).call('CLUSTER', 'MEET', host, String(port));
    const masterId = await plain(replica!.masterPort).cluster('MYID');
    await eventually(
      () =>
        plain(port)
          .call('CLUSTER', 'REPLICATE', masterId)
          .then(
            () => true,
            () => false,
          ),
      'the node knows its master',
    );
    expect(await gap).toMatchObject({ names: [channel], node, reason: 'connection-lost' });
    expect(pubsub.metrics()).toMatchObject({ desired: 1, confirmed: 1 });
    await cluster.settled();
    await publisher.publish(channel, 'after');
    await received.has(1);
    expect(received.data).toEqual(['after']);
    expect(losses).toHaveLength(1);
  });
});
