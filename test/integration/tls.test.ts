import { beforeAll, describe, expect, it } from '@jest/globals';
import { lastValueFrom } from 'rxjs';
import type { ClusterPubSubOptions } from '../../src/transport/index.js';
import { engines } from '../support/engines.js';
import { ReceivedMessages } from '../support/messages.js';
import { unique, uniques } from '../support/names.js';
import { tlsCluster } from '../support/tls-cluster.js';
import { transports } from '../support/transports.js';
import { Signal } from '../support/waiting.js';

const username = 'alice';
const password = 'pass word';

const { admins, ca, natMap, nodes } = tlsCluster();
const harness = transports({ nodes });
const open = engines();

beforeAll(() =>
  Promise.all(
    admins.map((admin) => admin.acl('SETUSER', username, 'on', `>${password}`, '~*', '&*', '+@all')),
  ),
);

describe('TLS', () => {
  it.each([2, 3] as const)(
    'and a user with a password, given in clusterOptions, serve every connection (RESP%i)',
    async (protocol) => {
      const redisOptions = { tls: { ca }, username, password, protocol };
      const pubsub = open({}, { nodes: nodes.slice(0, 1), clusterOptions: { natMap, redisOptions } });
      const channels = uniques(20);
      const received = new ReceivedMessages();
      await pubsub.subscribe(Object.fromEntries(channels.map((name) => [name, received.handler])));
      expect(await Promise.all(channels.map((name) => pubsub.publish(name, name)))).toEqual(
        channels.map(() => 1),
      );
      await received.has(channels.length);
      const ports = new Set(channels.map((name) => Number(pubsub.nodeOf(name)?.split(':')[1])));
      expect([...ports].sort()).toEqual(nodes.map(({ port }) => port).sort());
    },
  );

  it('carries payloads of 5 MiB', async () => {
    const redisOptions = { tls: { ca }, username, password };
    const pubsub = open({ encoding: 'buffer' }, { nodes, clusterOptions: { natMap, redisOptions } });
    const received = new ReceivedMessages<'buffer'>();
    const large = unique('large');
    const payload = Buffer.alloc(5 * 1024 * 1024, 'payload');
    await pubsub.subscribe({ [large]: received.handler });
    expect(await pubsub.publish(large, payload)).toBe(1);
    await received.has(1);
    expect(received.messages[0]!.data.equals(payload)).toBe(true);
  });

  it.each([
    ['an unknown authority', { tls: {}, username, password }],
    ['no TLS at all', { username, password }],
  ])('with %s fails within the connect timeout', async (_what, redisOptions) => {
    const pubsub = open({}, { nodes, connectTimeout: 500, clusterOptions: { natMap, redisOptions } });
    await expect(pubsub.connect()).rejects.toMatchObject({ code: 'CLUSTER_UNREACHABLE' });
  });
});

function trusting(ca?: string): Partial<ClusterPubSubOptions> {
  return {
    connectTimeout: 2_000,
    clusterOptions: { natMap, redisOptions: { tls: ca === undefined ? {} : { ca } } },
  };
}

describe('over TLS, through a natMap', () => {
  it('requests, events and wildcards work, and no connection goes without', async () => {
    const heard = { exact: new Signal<unknown>(), wildcard: new Signal<unknown>() };
    const patterns = Array.from({ length: 30 }, (_, i) => `sum.${i}`);
    await harness.server(
      {
        ...Object.fromEntries(
          patterns.map((pattern) => [pattern, (numbers: number[]) => numbers[0]! + numbers[1]!]),
        ),
        'event:order.created': heard.exact.resolve,
        'event:order.*': heard.wildcard.resolve,
      },
      trusting(ca),
    );
    const client = harness.client(trusting(ca));
    const sums = await Promise.all(
      patterns.map((pattern) => lastValueFrom(client.send<number>(pattern, [1, 2]))),
    );
    expect(new Set(sums)).toEqual(new Set([3]));
    await lastValueFrom(client.emit('order.created', 'tea'), { defaultValue: undefined });
    expect(await Promise.all([heard.exact.promise, heard.wildcard.promise])).toEqual(['tea', 'tea']);

    for (const [index, admin] of admins.entries()) {
      const ours = String(await admin.client('LIST'))
        .split('\n')
        .filter((line) => line.includes('name=nestjs-cluster-pubsub'));
      expect(ours.length).toBeGreaterThan(0);
      expect(ours.filter((line) => !line.includes(` laddr=127.0.0.1:${nodes[index]!.port} `))).toEqual([]);
    }
  });

  it('a certificate that is not trusted is an error within connectTimeout, which says so', async () => {
    const began = performance.now();
    const error: unknown = await harness
      .client(trusting())
      .connect()
      .catch((reason: unknown) => reason);
    expect(error).toMatchObject({
      code: 'CLUSTER_UNREACHABLE',
      message: expect.stringMatching(/self-signed certificate/),
    });
    expect(performance.now() - began).toBeLessThan(5_000);
  });
});
