import { afterAll, beforeAll } from '@jest/globals';
import type { ClusterConnectionOptions } from '../../src/pubsub/index.js';
import type { LocalCluster } from '../../src/testing/index.js';
import { TcpProxy } from '../chaos/tcp-proxy.js';

/** A network that delays every byte between clients and the nodes of a cluster by `ms` each way. Returns how to connect. */
export function slowNetwork(cluster: LocalCluster, ms: number): () => ClusterConnectionOptions {
  const proxies = new Map<number, TcpProxy>();

  beforeAll(async () => {
    for (const node of cluster.nodes) {
      const proxy = await TcpProxy.to(node);
      proxy.slow(ms);
      proxies.set(node.port, proxy);
    }
  });

  afterAll(() => Promise.all([...proxies.values()].map((proxy) => proxy.close())));

  return () => {
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
}
