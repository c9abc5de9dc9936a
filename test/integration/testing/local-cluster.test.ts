import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { existsSync } from 'node:fs';
import { Cluster, Redis } from 'ioredis';
import { findFreePorts } from '../../../src/testing/ports.js';
import { startLocalCluster, type LocalCluster } from '../../../src/testing/index.js';
import { isAlive } from '../../support/processes.js';

describe('a local cluster on ports of your choice', () => {
  it('has them one after the other, and refuses those that are taken', async () => {
    const [port] = (await findFreePorts(1)) as [number];
    await using cluster = await startLocalCluster({ masters: 1, replicas: 1, port });
    expect(cluster.nodes.map((node) => node.port)).toEqual([port, port + 1]);
    await expect(startLocalCluster({ masters: 1, replicas: 0, port })).rejects.toMatchObject({
      code: 'REDIS_SERVER_FAILED',
    });
  });

  it.each([0, 1.5, 60_000, NaN])('refuses %d', async (port) => {
    await expect(startLocalCluster({ port })).rejects.toThrow(RangeError);
  });
});

describe('a local cluster', () => {
  let cluster: LocalCluster;

  beforeAll(async () => {
    cluster = await startLocalCluster({ masters: 3, replicas: 1 });
  });

  afterAll(() => cluster.stop());

  it('works on every node by the time it is there', async () => {
    expect(cluster.nodes).toHaveLength(6);
    for (const node of cluster.nodes) {
      const info = await ask(node.port, (redis) => redis.cluster('INFO'));
      expect(info).toContain('cluster_state:ok');
      expect(info).toContain('cluster_known_nodes:6');
      expect(info).toContain('cluster_slots_assigned:16384');
    }
  });

  it('has the masters and replicas that were asked for, each master with a replica and a share of the slots', async () => {
    const masters = await cluster.masters();
    expect(masters).toHaveLength(3);
    for (const master of masters) {
      expect(await cluster.replicasOf(master)).toHaveLength(1);
      expect(master.slots).toHaveLength(1);
    }
  });

  it('names the replicas to clients through every node', async () => {
    for (const node of cluster.nodes) {
      const slots = await ask(node.port, (redis) => redis.cluster('SLOTS'));
      expect(slots.map((range) => range.length)).toEqual([4, 4, 4]);
    }
  });

  it('serves an ioredis Cluster that starts from any node', async () => {
    for (const node of cluster.nodes) {
      const client = new Cluster([node]);
      expect(await client.set(`key-${node.port}`, 'value')).toBe('OK');
      await client.quit();
    }
  });

  it('says who owns a slot', async () => {
    const owner = await cluster.ownerOf(0);
    expect(owner.slots[0]?.[0]).toBe(0);
    expect(owner.role).toBe('master');
  });

  it('leaves no connection of its own behind', async () => {
    for (const node of cluster.nodes) {
      const clients = String(await ask(node.port, (redis) => redis.call('CLIENT', 'LIST', 'TYPE', 'normal')));
      // The one that asks.
      expect(clients.trim().split('\n')).toHaveLength(1);
    }
  });

  it('refuses a node that is not of the cluster', async () => {
    await expect(cluster.pause({ port: 1 })).rejects.toMatchObject({ code: 'UNKNOWN_NODE' });
  });
});

describe('a local cluster with options', () => {
  it('takes any directive, several times where a list is given', async () => {
    await using cluster = await startLocalCluster({
      masters: 1,
      replicas: 0,
      config: { 'rename-command': ['SPUBLISH ""', 'SSUBSCRIBE ""'], maxmemory: '64mb' },
    });
    const port = cluster.nodes[0]!.port;
    await expect(ask(port, (redis) => redis.spublish('a', 'b'))).rejects.toThrow('unknown command');
    await expect(ask(port, (redis) => redis.call('SSUBSCRIBE', 'a'))).rejects.toThrow('unknown command');
    expect(await ask(port, (redis) => redis.config('GET', 'maxmemory'))).toContain(String(64 * 1024 * 1024));
  });

  it('works with a password, which every handle then uses', async () => {
    const password = 'open "sesame" \\ 1';
    await using cluster = await startLocalCluster({ masters: 3, replicas: 1, password });
    const [master, other] = await cluster.masters();
    const [replica] = await cluster.replicasOf(master!);
    await cluster.failover(replica!);
    const client = new Cluster(cluster.nodes, { redisOptions: { password } });
    await client.set('foo', 'bar');
    const target = (await cluster.ownerOf(12182)).port === other!.port ? replica! : other!;
    await cluster.moveSlot(12182, target);
    expect(await client.get('foo')).toBe('bar');
    await client.quit();
    await expect(ask(replica!.port, (redis) => redis.get('foo'))).rejects.toThrow('NOAUTH');
  });

  it('refuses numbers of nodes that make no cluster', async () => {
    await expect(startLocalCluster({ masters: 0 })).rejects.toBeInstanceOf(RangeError);
    await expect(startLocalCluster({ replicas: 0.5 })).rejects.toBeInstanceOf(RangeError);
  });
});

describe('stop()', () => {
  it('leaves no process and no folder, whatever state the nodes are in, and may be called again', async () => {
    const cluster = await startLocalCluster({ masters: 3, replicas: 0 });
    const pids = cluster.nodes.map((node) => cluster.pidOf(node)!);
    const [first, second] = cluster.nodes;
    await cluster.kill(first!);
    await cluster.pause(second!);

    await Promise.all([cluster.stop(), cluster.stop()]);
    await cluster.stop();

    expect(pids.filter(isAlive)).toEqual([]);
    expect(existsSync(cluster.folder)).toBe(false);
  });

  it('makes every handle refuse', async () => {
    const cluster = await startLocalCluster({ masters: 1, replicas: 0 });
    const [node] = cluster.nodes;
    await cluster.stop();
    const uses = [cluster.kill(node!), cluster.restart(node!), cluster.masters(), cluster.settled()];
    for (const use of uses) await expect(use).rejects.toMatchObject({ code: 'STOPPED' });
  });
});

async function ask<T>(port: number, question: (redis: Redis) => Promise<T>): Promise<T> {
  const redis = new Redis({ port });
  // A refused login is an event as well as the error of the command.
  redis.on('error', () => undefined);
  try {
    return await question(redis);
  } finally {
    redis.disconnect();
  }
}
