import { ClientTCP, Transport } from '@nestjs/microservices';
import type { Arm } from '../arm.js';
import { connectNest, serveNest } from './nest-app.js';

const host = '127.0.0.1';

/** Point to point: no broker between client and server. */
export const nestTcp: Arm = {
  serve: ({ port }, service) => serveNest({ transport: Transport.TCP, options: { host, port } }, service),
  connect: ({ port }) => connectNest(new ClientTCP({ host, port })),
};
