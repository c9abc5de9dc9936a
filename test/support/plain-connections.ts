import { Redis, type RedisOptions } from 'ioredis';
import { Closing } from './closing.js';

/** Returns a function that connects to single nodes as a program that does not use this package; closed afterwards. */
export function plainConnections() {
  const opened = new Closing();
  return (node: string | number | undefined, options: RedisOptions = {}): Redis => {
    const port = typeof node === 'number' ? node : portOf(node);
    // RESP2: over RESP3, ioredis 6 returns maps instead of lists.
    const redis = new Redis({ port, protocol: 2, ...options });
    redis.on('error', () => undefined);
    opened.add({ close: () => redis.disconnect() });
    return redis;
  };
}

export function portOf(node: string | undefined): number {
  if (node === undefined) throw new Error('No node.');
  return Number(node.slice(node.lastIndexOf(':') + 1));
}
