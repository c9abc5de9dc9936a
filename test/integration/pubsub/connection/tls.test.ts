import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Redis, type ClusterNode } from 'ioredis';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startLocalCluster, type LocalCluster } from '../../../../src/testing/index.js';
import { engines, Inbox, uniques } from '../harness.js';

const username = 'alice';
const password = 'pass word';

describe('TLS', () => {
  const open = engines();
  let cluster: LocalCluster;
  let folder: string;
  let ca: Buffer;
  /** The cluster tells its plain ports; as behind a tunnel, they are mapped to the encrypted ones. */
  const natMap: Record<string, { host: string; port: number }> = {};
  let nodes: ClusterNode[];

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'ncps-tls-'));
    const [key, certificate] = [join(folder, 'key.pem'), join(folder, 'certificate.pem')];
    execFileSync(
      'openssl',
      [
        ...[
          'req',
          '-x509',
          '-newkey',
          'rsa:2048',
          '-nodes',
          '-days',
          '2',
          '-keyout',
          key,
          '-out',
          certificate,
        ],
        ...['-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1,DNS:localhost'],
      ],
      { stdio: 'ignore' },
    );
    ca = readFileSync(certificate);
    cluster = await startLocalCluster({
      masters: 3,
      replicas: 0,
      config: {
        'tls-cert-file': certificate,
        'tls-key-file': key,
        'tls-ca-cert-file': certificate,
        'tls-auth-clients': 'no',
      },
    });
    for (const { port } of cluster.nodes) {
      const redis = new Redis({ port });
      const tlsPort = await freePort();
      await redis.config('SET', 'tls-port', tlsPort);
      await redis.acl('SETUSER', username, 'on', `>${password}`, '~*', '&*', '+@all');
      redis.disconnect();
      natMap[`127.0.0.1:${port}`] = { host: '127.0.0.1', port: tlsPort };
    }
    nodes = Object.values(natMap);
  });

  afterAll(async () => {
    await cluster.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  it.each([2, 3] as const)(
    'and a user with a password, given in clusterOptions, serve every connection (RESP%i)',
    async (protocol) => {
      const redisOptions = { tls: { ca }, username, password, protocol };
      const pubsub = open({}, { nodes: nodes.slice(0, 1), clusterOptions: { natMap, redisOptions } });
      const channels = uniques(20);
      const inbox = new Inbox();
      await pubsub.subscribe(Object.fromEntries(channels.map((name) => [name, inbox.handler])));
      expect(await Promise.all(channels.map((name) => pubsub.publish(name, name)))).toEqual(
        channels.map(() => 1),
      );
      await inbox.has(channels.length);
      const ports = new Set(channels.map((name) => Number(pubsub.nodeOf(name)?.split(':')[1])));
      expect([...ports].sort()).toEqual(nodes.map((node) => (node as { port: number }).port).sort());
    },
  );

  it('carries payloads of 5 MiB', async () => {
    const redisOptions = { tls: { ca }, username, password };
    const pubsub = open({ encoding: 'buffer' }, { nodes, clusterOptions: { natMap, redisOptions } });
    const inbox = new Inbox<'buffer'>();
    const payload = Buffer.alloc(5 * 1024 * 1024, 'payload');
    await pubsub.subscribe({ large: inbox.handler });
    expect(await pubsub.publish('large', payload)).toBe(1);
    await inbox.has(1);
    expect(inbox.messages[0]!.data.equals(payload)).toBe(true);
  });

  it.each([
    ['an unknown authority', { tls: {}, username, password }],
    ['no TLS at all', { username, password }],
  ])('with %s fails within the connect timeout', async (_what, redisOptions) => {
    const pubsub = open({}, { nodes, connectTimeout: 500, clusterOptions: { natMap, redisOptions } });
    await expect(pubsub.connect()).rejects.toMatchObject({ code: 'CLUSTER_UNREACHABLE' });
  });
});

async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
