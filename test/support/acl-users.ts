import { Redis } from 'ioredis';
import { sharedCluster } from './shared-cluster.js';

/** Makes or changes a user on every node of the shared cluster: `ACL SETUSER`. Its name must be the test's own. */
export async function setUser(name: string, ...rules: readonly string[]): Promise<void> {
  for (const node of sharedCluster() as { host: string; port: number }[]) {
    const redis = new Redis(node);
    await redis.acl('SETUSER', name, ...rules);
    redis.disconnect();
  }
}
