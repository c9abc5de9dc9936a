import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Redis } from 'ioredis';
import { once } from 'node:events';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { Logger } from '@nestjs/common';
import { lastValueFrom } from 'rxjs';
import { ClusterPubSubClient } from '../../../../src/index.js';
import type { ClusterPubSub } from '../../../../src/pubsub/index.js';
import { engines } from '../../../support/engines.js';
import { unique } from '../../../support/names.js';
import { ownCluster } from '../../../support/own-cluster.js';
import { plainConnections, portOf } from '../../../support/plain-connections.js';
import { eventually } from '../../../support/waiting.js';

const LIMITS = { connectTimeout: 1_000, commandTimeout: 600 };

/** Whatever ends because its time is over says what was wrong, in the words of Redis where there are some. */
describe('an error for a time that is over', () => {
  const open = engines();
  const plain = plainConnections();
  const cluster = ownCluster({ masters: 3, replicas: 0, nodeTimeout: 60_000 });
  let admins: Redis[];

  beforeAll(async () => {
    admins = cluster.nodes.map(({ port }) => plain(port));
    await Promise.all(
      admins.map((admin) => admin.call('ACL', 'SETUSER', 'app', 'on', '>pw', '~*', '&*', '+@all')),
    );
  });

  describe('at a node that has another password', () => {
    const user = { clusterOptions: { redisOptions: { username: 'app', password: 'pw' } } };
    let options: object;
    beforeAll(async () => {
      await admins[1]!.call('ACL', 'SETUSER', 'app', 'resetpass', '>other');
      options = { nodes: cluster.nodes, ...LIMITS, ...user, shared: false };
    });
    afterAll(() => admins[1]!.call('ACL', 'SETUSER', 'app', 'resetpass', '>pw'));

    it.each([
      ['subscribe', (pubsub: ClusterPubSub, name: string) => pubsub.subscribe(name), 'CLUSTER_UNREACHABLE'],
      ['ssubscribe', (pubsub: ClusterPubSub, name: string) => pubsub.ssubscribe(name), 'CLUSTER_UNREACHABLE'],
      ['publish', (pubsub: ClusterPubSub, name: string) => pubsub.publish(name, ''), 'PUBLISH_FAILED'],
    ])('tells who calls %s what Redis said', async (_what, call, code) => {
      const pubsub = open({}, options);
      await pubsub.connect();
      const error: unknown = await call(pubsub, nameAt(pubsub, 1)).catch((reason: unknown) => reason);
      expect(error).toMatchObject({ code, message: expect.stringContaining('WRONGPASS') });
      expect((error as Error).cause).toMatchObject({ code: 'AUTHENTICATION_FAILED' });
    });

    it('tells the health, and whose request could not be sent', async () => {
      const pubsub = open({}, options);
      await pubsub.connect();
      const health = await pubsub.health({ timeout: 500 });
      expect(health.reasons.join()).toContain('WRONGPASS');

      Logger.overrideLogger(false);
      const client = new ClusterPubSubClient({ ...options, requestTimeout: 400 });
      await client.connect();
      const sent = lastValueFrom(client.send(nameAt(pubsub, 1), 1));
      await expect(sent).rejects.toMatchObject({
        code: 'REQUEST_TIMEOUT',
        sent: false,
        message: expect.stringContaining('WRONGPASS'),
      });
      await client.close();
    });
  });

  it('says that the node takes no more clients', async () => {
    const pubsub = open({}, { nodes: cluster.nodes, ...LIMITS });
    await pubsub.connect();
    const name = nameAt(pubsub, 0);
    // Those of the cluster bus do not count; ours are two now, this one and that of the engine.
    const [, limit] = await admins[0]!.config('GET', 'maxclients');
    await admins[0]!.config('SET', 'maxclients', 1);
    await admins[0]!.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    try {
      for (const call of [() => pubsub.subscribe(name), () => pubsub.publish(name, '')]) {
        await expect(call()).rejects.toMatchObject({
          message: expect.stringContaining('max number of clients'),
        });
      }
    } finally {
      await admins[0]!.config('SET', 'maxclients', limit!);
    }
  });

  it('says that nobody owns the slot', async () => {
    const pubsub = open({}, { nodes: cluster.nodes, ...LIMITS });
    await pubsub.connect();
    const name = nameAt(pubsub, 2);
    const slot = await admins[2]!.cluster('KEYSLOT', name);
    await Promise.all(admins.map((admin) => admin.call('CLUSTER', 'DELSLOTS', slot)));
    try {
      await eventually(async () => {
        await pubsub.publish(name, '').catch(() => undefined);
        return pubsub.nodeOf(name) === undefined;
      }, 'the engine knows');
      for (const call of [() => pubsub.subscribe(name), () => pubsub.publish(name, '')]) {
        await expect(call()).rejects.toMatchObject({ message: expect.stringContaining('no node owns') });
      }
    } finally {
      await admins[2]!.call('CLUSTER', 'ADDSLOTS', slot);
      await Promise.all(
        admins.map(async (admin) =>
          admin.call('CLUSTER', 'SETSLOT', slot, 'NODE', await admins[2]!.cluster('MYID')),
        ),
      );
    }
  });

  it('says which startup node refused the password, though another one hangs', async () => {
    const silent = await listening();
    const wrong = { username: 'app', password: 'wrong' };
    const nodes = [cluster.nodes[0]!, { host: '127.0.0.1', port: (silent.address() as AddressInfo).port }];
    const pubsub = open({}, { nodes, ...LIMITS, clusterOptions: { redisOptions: wrong } });
    await expect(pubsub.connect()).rejects.toMatchObject({ message: expect.stringContaining('WRONGPASS') });
    silent.close();
  });

  function nameAt(pubsub: ClusterPubSub, index: number): string {
    for (;;) {
      const name = unique();
      if (portOf(pubsub.nodeOf(name)) === cluster.nodes[index]!.port) return name;
    }
  }
});

/** A server that takes connections and says nothing. */
async function listening(): Promise<Server> {
  const server = createServer((socket) => socket.unref().on('error', () => undefined)).listen(0, '127.0.0.1');
  server.unref();
  await once(server, 'listening');
  return server;
}
