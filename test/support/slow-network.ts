import { afterAll, beforeAll } from '@jest/globals';
import type { ClusterConnectionOptions } from '../../src/pubsub/index.js';
import type { LocalCluster } from '../../src/testing/index.js';
import { TcpProxy } from '../chaos/tcp-proxy.js';

/**
 * A network that delays every byte between clients and the nodes of a cluster by `ms` each way. Returns a function that
 * says how to connect through it, to the nodes that the cluster has when it is called.
 */
export function slowNetwork(cluster: LocalCluster, ms: number): () => Promise<ClusterConnectionOptions> {
  const proxies = new Map<number, TcpProxy>();

  const connection = async (): Promise<ClusterConnectionOptions> => {
    for (const node of cluster.nodes.filter(({ port }) => !proxies.has(port))) {
      const proxy = await TcpProxy.to(node);
      proxy.slow(ms);
      proxies.set(node.port, proxy);
    }
    const through = [...proxies].map(([port, proxy]) => ({
      port,
      to: { host: '127.0.0.1', port: proxy.port },
    }));
    return {
      nodes: through.map(({ to }) => to),
      clusterOptions: {
        natMap: Object.fromEntries(through.map(({ port, to }) => [`127.0.0.1:${String(port)}`, to])),
      },
    };
  };

  beforeAll(async () => {
    await connection();
  });

  afterAll(() => Promise.all([...proxies.values()].map((proxy) => proxy.close())));

  return connection;
}
