import { Redis } from 'ioredis';
import { sharedCluster } from './shared-cluster.js';

/** Creates or changes a user on every node of the shared cluster. No other test may use its name. */
export async function setUser(name: string, ...rules: readonly string[]): Promise<void> {
  for (const node of sharedCluster() as { host: string; port: number }[]) {
    const redis = new Redis(node);
    await redis.acl('SETUSER', name, ...rules);
    redis.disconnect();
  }
}
