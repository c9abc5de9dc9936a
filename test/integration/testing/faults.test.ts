import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import calculateSlot from 'cluster-key-slot';
import { Cluster, Redis } from 'ioredis';
import { startLocalCluster, type LocalCluster } from '../../../src/testing/index.js';
import { isAlive } from '../../support/processes.js';

describe('the fault handles of a local cluster', () => {
  let cluster: LocalCluster;

  beforeAll(async () => {
    cluster = await startLocalCluster({ masters: 3, replicas: 1, nodeTimeout: 1_000 });
  });

  afterAll(() => cluster.stop());

  describe('failover', () => {
    it('makes the replica the master, in the eyes of every node', async () => {
      const master = await cluster.ownerOf(0);
      const [replica] = await cluster.replicasOf(master);
      await cluster.failover(replica!);
      for (const node of cluster.nodes) expect(await ownerAccordingTo(node.port, 0)).toBe(replica!.port);
      expect((await cluster.replicasOf(replica!)).map(({ port }) => port)).toEqual([master.port]);
    });

    it('refuses a master', async () => {
      const [master] = await cluster.masters();
      await expect(cluster.failover(master!)).rejects.toMatchObject({ code: 'UNKNOWN_NODE' });
    });

    it('works without the old master when forced', async () => {
      const master = await cluster.ownerOf(0);
      const [replica] = await cluster.replicasOf(master);
      await cluster.kill(master);
      await cluster.failover(replica!, 'takeover');
      expect((await cluster.ownerOf(0)).port).toBe(replica!.port);
      await cluster.restart(master);
    });
  });

  describe('kill', () => {
    it('ends the process at once, a replica takes over, and restart brings the node back as its replica', async () => {
      const master = await cluster.ownerOf(0);
      const [replica] = await cluster.replicasOf(master);
      const pid = cluster.pidOf(master)!;

      await cluster.kill(master);
      expect(isAlive(pid)).toBe(false);
      expect(cluster.pidOf(master)).toBeUndefined();
      expect((await cluster.masters()).map(({ port }) => port)).not.toContain(master.port);

      await cluster.settled();
      expect((await cluster.ownerOf(0)).port).toBe(replica!.port);

      await cluster.restart(master);
      expect((await cluster.replicasOf(replica!)).map(({ port }) => port)).toEqual([master.port]);
      for (const node of cluster.nodes) expect(await ownerAccordingTo(node.port, 0)).toBe(replica!.port);
    });
  });

  describe('restart', () => {
    it('restarts a running node as a new process with the same port and slots', async () => {
      const master = await cluster.ownerOf(16_383);
      const pid = cluster.pidOf(master);
      await cluster.restart(master);
      expect(cluster.pidOf(master)).not.toBe(pid);
      const ports = (await Promise.all([cluster.masters(), cluster.replicas()]))
        .flat()
        .map(({ port }) => port);
      expect(ports).toContain(master.port);
    });
  });

  describe('pause', () => {
    it('leaves connections open but silent until resume', async () => {
      const [replica] = await cluster.replicas();
      const redis = new Redis({ port: replica!.port });
      await redis.ping();
      let answered = false;

      await cluster.pause(replica!);
      const pong = redis.ping().then(() => (answered = true));
      const others = cluster.nodes.filter(({ port }) => port !== replica!.port);
      for (const { port } of others) await ownerAccordingTo(port, 0);
      expect(answered).toBe(false);
      expect(redis.status).toBe('ready');

      await cluster.resume(replica!);
      await pong;
      redis.disconnect();
      await cluster.settled();
    });

    it('of a master lets its replica take over; resume brings it back as the replica', async () => {
      const master = await cluster.ownerOf(0);
      const [replica] = await cluster.replicasOf(master);
      await cluster.pause(master);
      await cluster.settled();
      expect((await cluster.ownerOf(0)).port).toBe(replica!.port);
      await cluster.resume(master);
      await cluster.settled();
      expect((await cluster.replicasOf(replica!)).map(({ port }) => port)).toEqual([master.port]);
    });
  });

  describe('moveSlot', () => {
    const slot = calculateSlot('{moved}');

    it('moves a slot with its keys under a client that goes on', async () => {
      const client = new Cluster(cluster.nodes);
      const keys = Array.from({ length: 250 }, (_, index) => `{moved}:${index}`);
      await Promise.all(keys.map((key) => client.set(key, key)));
      const source = await cluster.ownerOf(slot);
      const target = (await cluster.masters()).find(({ port }) => port !== source.port)!;

      await cluster.moveSlot(slot, target);

      for (const node of cluster.nodes) expect(await ownerAccordingTo(node.port, slot)).toBe(target.port);
      expect(await Promise.all(keys.map((key) => client.get(key)))).toEqual(keys);
      await client.quit();

      await cluster.moveSlot(slot, source);
      expect((await cluster.ownerOf(slot)).port).toBe(source.port);
      expect((await cluster.ownerOf(slot)).slots).toHaveLength(1);
    });

    it('shows the slot on the move to who wants to look', async () => {
      const source = await cluster.ownerOf(slot);
      const target = (await cluster.masters()).find(({ port }) => port !== source.port)!;
      let seen = '';
      const whileMoving = async () => {
        seen = await clusterNodes(source.port);
      };
      await cluster.moveSlot(slot, target, { whileMoving });
      expect(seen).toContain(`[${slot}->-${target.id}]`);
      expect(await clusterNodes(source.port)).not.toContain('->-');
      await cluster.moveSlot(slot, source);
    });

    it('does nothing when the slot is there already, and refuses replicas and impossible slots', async () => {
      const owner = await cluster.ownerOf(slot);
      await cluster.moveSlot(slot, owner);
      const [replica] = await cluster.replicas();
      await expect(cluster.moveSlot(slot, replica!)).rejects.toMatchObject({ code: 'UNKNOWN_NODE' });
      await expect(cluster.moveSlot(16_384, owner)).rejects.toBeInstanceOf(RangeError);
    });
  });

  describe('addMaster', () => {
    it('adds a node that can be given slots', async () => {
      const slot = calculateSlot('{added}');
      const added = await cluster.addMaster();
      expect((await cluster.masters()).find(({ port }) => port === added.port)?.slots).toEqual([]);
      await cluster.moveSlot(slot, added);
      expect((await cluster.ownerOf(slot)).port).toBe(added.port);
      for (const node of cluster.nodes) expect(await ownerAccordingTo(node.port, slot)).toBe(added.port);

      // The last slot leaves: the node is a replica then, which refuses the last step of a move.
      const home = (await cluster.masters()).find(({ port }) => port !== added.port)!;
      await cluster.moveSlot(slot, home);
      expect((await cluster.ownerOf(slot)).port).toBe(home.port);
      await cluster.settled();
      expect((await cluster.replicasOf(home)).map(({ port }) => port)).toContain(added.port);
    });
  });

  describe('migrateSlots', () => {
    it('moves ranges of several owners with their keys under a client that goes on, and back', async () => {
      const client = new Cluster(cluster.nodes);
      const keys = Array.from({ length: 100 }, (_, index) => `{moved}:${index}`);
      await Promise.all(keys.map((key) => client.set(key, key)));
      const slot = calculateSlot('{moved}');
      const home = await cluster.ownerOf(slot);
      const target = (await cluster.masters()).find(({ port }) => port !== home.port)!;
      const other = (await cluster.masters()).find(({ port }) => port !== home.port && port !== target.port)!;
      const [first] = other.slots[0]!;

      await cluster.migrateSlots(
        [
          [slot, slot],
          [first, first + 5],
        ],
        target,
      );
      for (const moved of [slot, first, first + 5]) {
        for (const node of cluster.nodes) expect(await ownerAccordingTo(node.port, moved)).toBe(target.port);
      }
      expect(await Promise.all(keys.map((key) => client.get(key)))).toEqual(keys);
      await client.quit();
      await cluster.migrateSlots([[slot, slot]], home);
      await cluster.migrateSlots([[first, first + 5]], other);
    });

    it('takes all slots of a master, which is a replica then', async () => {
      const added = await cluster.addMaster();
      const owner = await cluster.ownerOf(0);
      await cluster.migrateSlots([[0, 3]], added);
      await cluster.migrateSlots([[0, 3]], owner);
      await cluster.settled();
      expect((await cluster.replicasOf(owner)).map(({ port }) => port)).toContain(added.port);
    });

    it.each([[[3, 1]], [[-1, 2]], [[0, 16_384]]] as const)('refuses the range %p', async (range) => {
      await expect(cluster.migrateSlots([range], await cluster.ownerOf(0))).rejects.toBeInstanceOf(
        RangeError,
      );
    });
  });
});

async function ownerAccordingTo(port: number, slot: number): Promise<number | undefined> {
  const redis = new Redis({ port });
  const ranges = await redis.cluster('SLOTS');
  redis.disconnect();
  return ranges.find(([from, to]) => from <= slot && slot <= to)?.[2]?.[1];
}

async function clusterNodes(port: number): Promise<string> {
  const redis = new Redis({ port });
  const text = (await redis.cluster('NODES')) as string;
  redis.disconnect();
  return text;
}
