import { createServer } from 'node:net';
import { LocalClusterError } from './errors.js';
import { loopback } from './node-address.js';

/** Redis puts its cluster bus this far above the data port; Redis 6 knows no other place for it. */
const busOffset = 10_000;

// Both ports stay below 32768, where Linux begins to take ports for outgoing connections: one of those could
// otherwise sit on a port of ours between the moment we look and the moment the server binds.
const lowest = 10_000;
const highest = 22_767;

/** `count` data ports, each free together with its cluster bus port. */
export async function findFreePorts(count: number): Promise<number[]> {
  const ports = new Set<number>();
  // Random, so that test workers that start clusters at the same moment seldom want the same ports.
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
