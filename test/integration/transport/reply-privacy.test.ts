import { afterAll, expect, it } from '@jest/globals';
import { lastValueFrom } from 'rxjs';
import { sharedCluster } from '../../support/shared-cluster.js';
import { Harness, Signal } from './harness.js';

const CLIENTS = 8;
const REQUESTS = 25;
const harness = new Harness(sharedCluster());
afterAll(() => harness.close());

it('a reply reaches the asker alone, among 8 clients on one pattern', async () => {
  await harness.server({ double: (n: number) => n * 2 });
  const clients = Array.from({ length: CLIENTS }, () => harness.client());
  // What arrives at the subscriber connections of each client, before anything is made of it.
  const arrived = clients.map(() => 0);
  await Promise.all(
    clients.map(async (client, index) => {
      await client.connect();
      const { session } = client as unknown as {
        session: { requests: { received: (message: unknown, inbox: unknown) => void } };
      };
      const { received } = session.requests;
      session.requests.received = (message, inbox) => {
        arrived[index] = (arrived[index] ?? 0) + 1;
        received(message, inbox);
      };
    }),
  );
  const answers = await Promise.all(
    clients.flatMap((client, index) =>
      Array.from({ length: REQUESTS }, (_, i) => lastValueFrom(client.send('double', index * 100 + i))),
    ),
  );
  expect(answers).toEqual(
    clients.flatMap((_, index) => Array.from({ length: REQUESTS }, (__, i) => (index * 100 + i) * 2)),
  );
  expect(arrived).toEqual(clients.map(() => REQUESTS));
});

it('nobody else sees a reply: not by the name of the pattern, nor by a wildcard', async () => {
  await harness.server({ double: (n: number) => n * 2 });
  const seen: string[] = [];
  const done = new Signal();
  const redis = harness.redis();
  await redis.psubscribe('*');
  redis.on('pmessage', (_pattern, channel) => {
    if (channel.startsWith(harness.prefix)) {
      seen.push(channel);
      if (channel.endsWith('end')) {
        done.resolve();
      }
    }
  });
  const client = harness.client();
  await lastValueFrom(client.send('double', 2));
  await lastValueFrom(client.emit('end', 1));
  await done.promise;
  expect(seen).toEqual([`${harness.prefix}end`]);
});
