import { createServer } from 'node:net';
import { LocalClusterError } from './errors.js';
import { loopback } from './node-address.js';

/** The cluster bus port of Redis is this much above the data port; in Redis 6 this cannot be changed. */
const busOffset = 10_000;

// Both ports stay below 32768, where the ports for outgoing connections start on Linux: one of those could otherwise take
// a port between the check and the moment the server binds it.
const lowest = 10_000;
const highest = 22_767;

/** Returns `count` data ports that are free, as are their cluster bus ports. */
export async function findFreePorts(count: number): Promise<number[]> {
  const ports = new Set<number>();
  // Random, so that test workers that start clusters at the same time rarely choose the same ports.
  for (let tries = 0; ports.size < count && tries < 1_000; tries++) {
    const port = lowest + Math.floor(Math.random() * (highest - lowest + 1));
    if (!ports.has(port) && (await isFree(port)) && (await isFree(port + busOffset))) ports.add(port);
  }
  if (ports.size < count) {
    throw new LocalClusterError(
      'REDIS_SERVER_FAILED',
      `Only ${ports.size} of ${count} free ports found between ${lowest} and ${highest} on ${loopback}.`,
    );
  }
  return [...ports];
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ host: loopback, port, exclusive: true }, () => server.close(() => resolve(true)));
  });
}
