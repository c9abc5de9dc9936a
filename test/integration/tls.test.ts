import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { type NatMap, Redis } from 'ioredis';
import { lastValueFrom } from 'rxjs';
import { type LocalCluster, startLocalCluster } from '../../src/testing/index.js';
import type { ClusterPubSubOptions } from '../../src/transport/index.js';
import { freePort } from '../support/free-port.js';
import { Harness, Signal } from './transport/harness.js';

/** A cluster whose nodes serve TLS on a second port, and announce the first: `natMap` leads from one to the other. */
let cluster: LocalCluster;
let folder: string;
let certificate: string;
let admins: Redis[];
let tlsNodes: { host: string; port: number }[];
let natMap: NatMap;
let harness: Harness;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'ncps-tls-'));
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
  selfSign(key, cert);
  certificate = readFileSync(cert, 'utf8');
  cluster = await startLocalCluster({
    masters: 3,
    replicas: 0,
    config: {
      'tls-key-file': key,
      'tls-cert-file': cert,
      'tls-ca-cert-file': cert,
      'tls-auth-clients': 'no',
    },
  });
  admins = cluster.nodes.map((node) => new Redis(node));
  tlsNodes = await Promise.all(
    admins.map(async (admin) => {
      const port = await freePort();
      await admin.config('SET', 'tls-port', port);
      return { host: '127.0.0.1', port };
    }),
  );
  natMap = Object.fromEntries(
    cluster.nodes.map(({ host, port }, index) => [`${host}:${port}`, tlsNodes[index]!]),
  );
  harness = new Harness(tlsNodes);
});
afterEach(() => harness.close());
afterAll(async () => {
  admins.forEach((admin) => admin.disconnect());
  await cluster.stop();
  rmSync(folder, { recursive: true, force: true });
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
      trusting(certificate),
    );
    const client = harness.client(trusting(certificate));
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
      expect(ours.filter((line) => !line.includes(` laddr=127.0.0.1:${tlsNodes[index]!.port} `))).toEqual([]);
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

/** A key and a certificate for 127.0.0.1, in two files. */
function selfSign(key: string, cert: string): void {
  const args = [
    'req',
    '-x509',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:P-256',
    '-nodes',
    '-days',
    '2',
  ];
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1'];
  execFileSync('openssl', [...args, ...subject, '-keyout', key, '-out', cert], { stdio: 'ignore' });
}
