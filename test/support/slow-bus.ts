import { afterAll, beforeAll } from '@jest/globals';
import type { LocalCluster } from '../../src/testing/index.js';
import { TcpProxy } from '../chaos/tcp-proxy.js';
import { plainConnections } from './plain-connections.js';
import { eventually } from './waiting.js';

/** Redis adds this to the port of a node for its cluster bus. */
const BUS_PORT_OFFSET = 10_000;

/**
 * Delays by `ms` what the nodes of a cluster send each other, and nothing else. A node that syncs its `nodes.conf` to a
 * busy disk has the same effect: what comes over the bus waits, what clients send it next does not.
 */
export function slowBus(cluster: LocalCluster, ms: number): void {
  const connect = plainConnections();
  const proxies: TcpProxy[] = [];

  beforeAll(async () => {
    for (const { host, port } of cluster.nodes) {
      const proxy = await TcpProxy.to({ host, port: port + BUS_PORT_OFFSET });
      proxy.slow(ms);
      proxies.push(proxy);
      await connect(port).config('SET', 'cluster-announce-bus-port', proxy.port);
    }
    for (const { port } of cluster.nodes) {
      const redis = connect(port);
      const usesProxies = async (): Promise<boolean> => {
        const view = String(await redis.cluster('NODES'));
        return (
          proxies.every((proxy) => view.includes(`@${String(proxy.port)} `)) && !view.includes('disconnected')
        );
      };
      await eventually(usesProxies, 'the nodes talk by the proxies', 20_000);
    }
  }, 40_000);

  afterAll(() => Promise.all(proxies.map((proxy) => proxy.close())));
}
