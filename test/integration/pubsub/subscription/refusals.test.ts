import { beforeEach, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { inspect } from 'node:util';
import type { ClusterPubSubError } from '../../../../src/pubsub/index.js';
import { engines } from '../../../support/engines.js';
import { ReceivedMessages } from '../../../support/messages.js';
import { unique } from '../../../support/names.js';
import { ownCluster } from '../../../support/own-cluster.js';

const password = 'pass-word-of-alice';
const names = [1, 2, 3, 4, 5, 6].map((index) => `allowed:${index}`);

describe('what an ACL refuses', () => {
  const open = engines();
  const cluster = ownCluster({ masters: 3, replicas: 0 });

  beforeEach(() =>
    acl(
      ...['alice', 'reset', 'on', `>${password}`, '~*', '+@all', 'resetchannels', '&allowed:*'],
      // PSUBSCRIBE wants its pattern to be in the ACL word for word.
      ...names.map((name) => `&${name}`),
    ),
  );

  const alice = (options: Parameters<typeof open>[0] = {}) =>
    open(options, {
      nodes: cluster.nodes,
      clusterOptions: { redisOptions: { username: 'alice', password } },
    });

  it.each(['subscribe', 'psubscribe', 'ssubscribe'] as const)(
    'fails %s with the name of the channel; the others of the call are active',
    async (subscribe) => {
      const pubsub = alice();
      const forbidden = 'forbidden:7';
      const error = await rejection(pubsub[subscribe](...names.slice(0, 3), forbidden, ...names.slice(3)));
      expect(error).toMatchObject({
        code: 'SUBSCRIPTION_REFUSED',
        channel: forbidden,
        message: expect.stringContaining(forbidden),
      });
      const standing = [...pubsub.channels, ...pubsub.patterns, ...pubsub.shardChannels];
      expect(standing.sort()).toEqual(names);
      if (subscribe === 'psubscribe') {
        expect(await pubsub.pubsubNumpat()).toBe(names.length);
      } else {
        const publish = subscribe === 'ssubscribe' ? 'spublish' : 'publish';
        for (const name of names) expect(await pubsub[publish](name, '')).toBe(1);
      }
    },
  );

  it('can be granted later: the same object subscribes then', async () => {
    const pubsub = alice();
    await expect(pubsub.subscribe('later')).rejects.toMatchObject({ code: 'SUBSCRIPTION_REFUSED' });
    expect(pubsub.subscribed).toBe(false);
    await acl('alice', '&later');
    await pubsub.subscribe('later');
    expect(await pubsub.publish('later', '')).toBe(1);
  });

  it('is reported when it is the end of a subscription: Redis goes on counting us', async () => {
    const pubsub = alice();
    const told = new Promise((resolve) => pubsub.once('error', resolve));
    await pubsub.subscribe('allowed:1');
    await acl('alice', '-unsubscribe');
    await pubsub.unsubscribe('allowed:1');
    expect(await told).toMatchObject({
      code: 'COMMAND_REFUSED',
      message: expect.stringContaining('UNSUBSCRIBE'),
    });
  });

  it('ends an iteration that waited for nothing else', async () => {
    const pubsub = alice();
    await pubsub.connect();
    const refused = pubsub.subscribe('forbidden').catch(() => 'refused');
    await Promise.resolve();
    const next = pubsub.listen().next();
    expect(await refused).toBe('refused');
    expect((await next).done).toBe(true);
  });

  it.each(['publish', 'spublish'] as const)('fails %s as not delivered', async (publish) => {
    const error = await rejection(alice()[publish]('forbidden', 'secret payload'));
    expect(error).toMatchObject({
      code: 'PUBLISH_FAILED',
      outcome: 'not-delivered',
      channel: 'forbidden',
      message: expect.stringContaining('forbidden'),
    });
    expect(inspect(error, { depth: null })).not.toContain('secret payload');
  });

  it('fails questions with the command that was refused', async () => {
    await acl('alice', '-pubsub');
    await expect(alice().pubsubNumsub('allowed:1')).rejects.toMatchObject({
      code: 'COMMAND_REFUSED',
      message: expect.stringContaining('PUBSUB NUMSUB'),
    });
  });

  it('leaves enough with the least that the engine needs', async () => {
    const least = ['+ping', '+cluster|slots', '+cluster|info', '+pubsub', '+publish', '+spublish'];
    await acl(
      ...['alice', 'reset', 'on', `>${password}`, 'resetchannels', '&allowed:*', '-@all', ...least],
      ...['+subscribe', '+psubscribe', '+ssubscribe', '+unsubscribe', '+punsubscribe', '+sunsubscribe'],
    );
    const pubsub = alice();
    const received = new ReceivedMessages();
    await pubsub.subscribe({ 'allowed:1': received.handler });
    await pubsub.ssubscribe({ 'allowed:1': received.handler });
    await pubsub.psubscribe({ 'allowed:*': received.handler });
    expect(await pubsub.publish('allowed:1', 'x')).toBeGreaterThan(0);
    expect(await pubsub.spublish('allowed:1', 'x')).toBe(1);
    await received.has(3);
    await pubsub.reset();
  });

  it('does without the state and epoch of the cluster where they may not be read', async () => {
    await acl('alice', '-cluster|info');
    const pubsub = alice();
    await pubsub.subscribe('allowed:1');
    expect(await pubsub.publish('allowed:1', 'x')).toBe(1);
  });

  it('names the permission that is missing when the slots may not be read', async () => {
    await acl('alice', '-cluster');
    const error = await rejection(alice().connect());
    expect(error).toMatchObject({
      code: 'AUTHENTICATION_FAILED',
      message: expect.stringContaining('cluster'),
    });
  });

  describe('credentials', () => {
    it.each([
      ['a wrong password', { username: 'alice', password: 'wrong-secret' }],
      ['an unknown user', { username: 'mallory', password: 'wrong-secret' }],
    ])('that are refused (%s) fail at once, and are repeated nowhere', async (_what, redisOptions) => {
      const started = performance.now();
      const error = await rejection(
        open({}, { nodes: cluster.nodes, clusterOptions: { redisOptions } }).subscribe(unique()),
      );
      expect(error).toMatchObject({ code: 'AUTHENTICATION_FAILED' });
      expect(performance.now() - started).toBeLessThan(3_000);
      expect(inspect(error, { depth: null, showHidden: true })).not.toContain('wrong-secret');
    });

    it('that are refused in RESP2 fail the same way', async () => {
      const redisOptions = { username: 'alice', password: 'wrong-secret', protocol: 2 } as const;
      const error = await rejection(
        open({}, { nodes: cluster.nodes, clusterOptions: { redisOptions } }).connect(),
      );
      expect(error).toMatchObject({ code: 'AUTHENTICATION_FAILED' });
      expect(inspect(error, { depth: null, showHidden: true })).not.toContain('wrong-secret');
    });

    it('that are missing fail at once', async () => {
      await acl('default', 'on', 'resetpass', '>closed');
      try {
        const started = performance.now();
        await expect(open({}, { nodes: cluster.nodes }).connect()).rejects.toMatchObject({
          code: 'AUTHENTICATION_FAILED',
        });
        expect(performance.now() - started).toBeLessThan(3_000);
      } finally {
        await acl('default', 'on', 'nopass');
      }
    });

    it('that are refused are reported though another startup node is down', async () => {
      const redisOptions = { username: 'alice', password: 'wrong-secret' };
      const nodes = [{ port: 1 }, ...cluster.nodes];
      await expect(
        open({}, { nodes, connectTimeout: 5_000, clusterOptions: { redisOptions } }).connect(),
      ).rejects.toMatchObject({ code: 'AUTHENTICATION_FAILED' });
    });

    it('of a URL serve for every node', async () => {
      const pubsub = open({}, { nodes: [`redis://alice:${password}@127.0.0.1:${cluster.nodes[0]!.port}`] });
      await pubsub.subscribe(names);
      expect(await Promise.all(names.map((name) => pubsub.publish(name, '')))).toEqual(names.map(() => 1));
    });
  });

  /** ACL SETUSER on each node, for ACLs are not shared among them. */
  async function acl(...rules: string[]): Promise<void> {
    for (const { port } of cluster.nodes) {
      // The first command that needs a password must not be this one: 'default' may have got one just now.
      const redis = new Redis({ port, username: 'operator', password: 'operator', lazyConnect: true });
      redis.on('error', () => undefined);
      try {
        await redis.connect();
        await redis.ping();
      } catch {
        redis.disconnect();
        const first = new Redis({ port });
        await first.acl('SETUSER', 'operator', 'on', '>operator', '~*', '&*', '+@all');
        first.disconnect();
        await acl(...rules);
        return;
      }
      await redis.acl('SETUSER', rules[0]!, ...rules.slice(1));
      redis.disconnect();
    }
  }
});

function rejection(promise: Promise<unknown>): Promise<ClusterPubSubError> {
  return promise.then(
    () => {
      throw new Error('It did not reject.');
    },
    (error: unknown) => error as ClusterPubSubError,
  );
}
