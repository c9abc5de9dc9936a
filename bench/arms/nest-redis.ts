import { ClientRedis, Transport } from '@nestjs/microservices';
import type { Redis } from 'ioredis';
import type { Arm } from '../arm.js';
import { connectNest, serveNest } from './nest-app.js';

/** Nest's Redis transport does not support clusters: both ends connect to the same node. */
export const nestRedis: Arm = {
  serve: ({ node }, service) => serveNest({ transport: Transport.REDIS, options: { ...node } }, service),
  async connect({ node }) {
    const client = new ClientRedis({ ...node });
    const nest = await connectNest(client);
    const [, subscriber] = client.unwrap<[Redis, Redis]>();
    let arrivals = 0;
    subscriber.on('message', () => (arrivals += 1));
    return { ...nest, arrivals: () => arrivals };
  },
};
