import { afterAll, beforeAll } from '@jest/globals';
import { type NatMap, Redis } from 'ioredis';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { LocalNode } from '../../src/testing/index.js';
import { freePort } from './free-port.js';
import { ownCluster } from './own-cluster.js';

/**
 * A cluster whose nodes serve TLS on a second port. They announce the first one, as behind a tunnel: `natMap` leads
 * from one to the other.
 */
export function tlsCluster() {
  const folder = mkdtempSync(join(tmpdir(), 'ncps-tls-'));
  const [key, certificate] = [join(folder, 'key.pem'), join(folder, 'certificate.pem')];
  selfSign(key, certificate);
  const cluster = ownCluster({
    masters: 3,
    replicas: 0,
    config: {
      'tls-key-file': key,
      'tls-cert-file': certificate,
      'tls-ca-cert-file': certificate,
      'tls-auth-clients': 'no',
    },
  });
  const nodes: LocalNode[] = [];
  const natMap: NatMap = {};
  const admins: Redis[] = [];
  beforeAll(async () => {
    for (const { host, port } of cluster.nodes) {
      const admin = new Redis({ host, port });
      const encrypted = { host, port: await freePort() };
      await admin.config('SET', 'tls-port', encrypted.port);
      natMap[`${host}:${port}`] = encrypted;
      nodes.push(encrypted);
      admins.push(admin);
    }
  });
  afterAll(() => {
    admins.forEach((admin) => admin.disconnect());
    rmSync(folder, { recursive: true, force: true });
  });
  return {
    /** The certificate to trust. */
    ca: readFileSync(certificate, 'utf8'),
    /** The encrypted addresses. */
    nodes,
    natMap,
    /** A plain connection to each node, in the order of `nodes`. */
    admins,
  };
}

/** Writes a key and a certificate for the loopback address. */
function selfSign(key: string, certificate: string): void {
  const algorithm = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'];
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1,DNS:localhost'];
  execFileSync('openssl', ['req', '-x509', ...algorithm, ...subject, '-keyout', key, '-out', certificate], {
    stdio: 'ignore',
  });
}
