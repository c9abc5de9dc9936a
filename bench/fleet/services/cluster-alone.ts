import { Cluster } from 'ioredis';
import type { Service, StartService } from '../service.js';

/** An ioredis `Cluster` with its subscriber, as code without this package uses it. */
export const startClusterAlone: StartService = async ({ nodes }, name): Promise<Service> => {
  const cluster = new Cluster([...nodes], { redisOptions: { connectionName: `fleet:${name}` } });
  cluster.on('error', () => undefined);
  await cluster.subscribe(`${name}:engine`);
  const request = (): Promise<unknown> => cluster.publish(`${name}:engine`, name);
  return {
    request,
    use: request,
    close: async () => {
      cluster.disconnect();
    },
  };
};
