import { afterEach, describe, expect, it } from '@jest/globals';
import { Cluster, type ClusterNode, type ClusterOptions } from 'ioredis';
import { inspect } from 'node:util';
import { isSameCluster, readStartupNodes } from '../../../../src/pubsub/connection/startup-nodes.js';

describe('readSeeds', () => {
  it.each<[string, ClusterNode, string]>([
    ['a host and a port', { host: 'redis', port: 7000 }, 'redis:7000'],
    ['a host alone', { host: 'redis' }, 'redis:6379'],
    ['a port alone', { port: 7000 }, '127.0.0.1:7000'],
    ['a number', 7000, '127.0.0.1:7000'],
    ['digits', '7000', '127.0.0.1:7000'],
    ['a URL', 'redis://redis:7000', 'redis:7000'],
    ['a URL without a port', 'rediss://redis', 'redis:6379'],
    ['host:port', 'redis:7000', 'redis:7000'],
    ['an IPv6 URL', 'redis://[::1]:7000', '::1:7000'],
    ['a URL with a database and options', 'redis://redis:7000/0?family=4', 'redis:7000'],
  ])('takes %s', async (_what, node, address) => {
    expect(await readStartupNodes({ nodes: [node] }).addresses()).toEqual([address]);
  });

  it('names each address once', async () => {
    const startupNodes = readStartupNodes({ nodes: ['redis:7000', { host: 'redis', port: 7000 }, 7001] });
    expect([...(await startupNodes.addresses())].sort()).toEqual(['127.0.0.1:7001', 'redis:7000']);
  });

  it('has each node first now and then, so that a fleet does not start at one of them', async () => {
    const startupNodes = readStartupNodes({ nodes: [7000, 7001, 7002] });
    const first = await Promise.all(
      Array.from({ length: 200 }, async () => (await startupNodes.addresses())[0]),
    );
    expect(new Set(first).size).toBe(3);
  });

  it('takes credentials and TLS from a startup node', () => {
    const { credentials } = readStartupNodes({ nodes: [7000, 'rediss://al%20ice:p%40ss@redis:7000'] });
    expect(credentials).toEqual({ username: 'al ice', password: 'p@ss', tls: {} });
    const tls = { ca: 'certificate' };
    expect(
      readStartupNodes({ nodes: [{ port: 7000, password: 'p', tls } as ClusterNode] }).credentials,
    ).toEqual({
      password: 'p',
      tls,
    });
  });

  it.each<[string, unknown]>([
    ['no nodes', undefined],
    ['an empty list', []],
    ['no list', 'redis://alice:secret@redis:7000'],
    ['no URL', ['redis://alice:secret@redis:port']],
    ['a URL with a broken escape', ['redis://alice:secret%zz@redis:7000']],
    ['an impossible port', [{ host: 'redis', port: 70_000, password: 'secret' }]],
    ['a port that is no number', [{ host: 'redis', port: Number.NaN, password: 'secret' }]],
    ['an empty host', [{ host: '', port: 7000, password: 'secret' }]],
    ['a URL for a host', [{ host: 'redis://alice:secret@redis', port: 7000 }]],
    ['credentials in a host', [{ host: 'alice:secret@redis', port: 7000 }]],
  ])('refuses %s, and repeats no password', (_what, nodes) => {
    const error = thrownBy(() => readStartupNodes({ nodes: nodes as ClusterNode[] }));
    expect(error).toMatchObject({ code: 'INVALID_ARGUMENT' });
    expect(inspect(error, { depth: null })).not.toContain('secret');
  });

  describe('with SRV records', () => {
    const srv = (resolveSrv: unknown): ClusterOptions => ({
      useSRVRecords: true,
      resolveSrv: resolveSrv as NonNullable<ClusterOptions['resolveSrv']>,
    });

    it('looks them up anew each time, best first', async () => {
      let weight = 1;
      const resolveSrv = (name: string, done: (error: null, records: object[]) => void): void =>
        done(null, [
          { name: `b.${name}`, port: 2, priority: 2, weight: 9 },
          { name: `a.${name}`, port: 1, priority: 1, weight },
          { name: `c.${name}`, port: 3, priority: 1, weight: 5 },
        ]);
      const startupNodes = readStartupNodes({ nodes: [{ host: 'redis' }], clusterOptions: srv(resolveSrv) });
      expect(await startupNodes.addresses()).toEqual(['c.redis:3', 'a.redis:1', 'b.redis:2']);
      weight = 6;
      expect(await startupNodes.addresses()).toEqual(['a.redis:1', 'c.redis:3', 'b.redis:2']);
    });

    it('says which name it could not look up', async () => {
      const resolveSrv = (_name: string, done: (error: Error) => void): void => done(new Error('ENOTFOUND'));
      const startupNodes = readStartupNodes({ nodes: [{ host: 'redis' }], clusterOptions: srv(resolveSrv) });
      await expect(startupNodes.addresses()).rejects.toMatchObject({
        code: 'CLUSTER_UNREACHABLE',
        message: expect.stringContaining('"redis"'),
      });
    });
  });

  describe("with a caller's Cluster", () => {
    let cluster: Cluster | undefined;

    afterEach(() => {
      cluster?.disconnect();
    });

    it('reads its startup nodes and options, also before it is connected', async () => {
      const natMap = { 'a:1': { host: 'b', port: 2 } };
      cluster = new Cluster(['redis://:secret@redis:7000'], { lazyConnect: true, natMap });
      const startupNodes = readStartupNodes({ cluster });
      expect(await startupNodes.addresses()).toEqual(['redis:7000']);
      expect(startupNodes.clusterOptions.natMap).toEqual(natMap);
      expect(startupNodes.credentials).toEqual({ password: 'secret' });
      expect(cluster.status).toBe('wait');
    });
  });
});

describe('isSameCluster', () => {
  it('knows a cluster by a startup node that both name, in whatever notation', () => {
    const one = { nodes: ['redis:7000', { host: 'redis', port: 7001 }] };
    expect(isSameCluster(one, { nodes: ['redis://:secret@redis:7001'] })).toBe(true);
    expect(isSameCluster(one, { nodes: ['redis:7002', 7000] })).toBe(false);
  });

  it('knows an ioredis Cluster by itself only', () => {
    const [one, other] = [1, 2].map(() => new Cluster(['redis:7000'], { lazyConnect: true }));
    expect(isSameCluster({ cluster: one }, { cluster: one })).toBe(true);
    expect(isSameCluster({ cluster: one }, { cluster: other })).toBe(false);
    expect(isSameCluster({ cluster: one }, { nodes: ['redis:7000'] })).toBe(false);
  });
});

function thrownBy(action: () => unknown): unknown {
  try {
    action();
  } catch (error) {
    return error;
  }
  throw new Error('It did not throw.');
}
