import { ClientNats, Transport } from '@nestjs/microservices';
import type { Arm } from '../arm.js';
import { connectNest, serveNest } from './nest-app.js';

export const nestNats: Arm = {
  serve: ({ nats }, service) =>
    serveNest({ transport: Transport.NATS, options: { servers: [nats] } }, service),
  connect: ({ nats }) => connectNest(new ClientNats({ servers: [nats] })),
};
