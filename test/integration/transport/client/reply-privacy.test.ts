import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { afterAll, expect, it } from '@jest/globals';
import { lastValueFrom } from 'rxjs';
import { startProgram } from '../../../support/programs.js';
import { transports } from '../../../support/transports.js';
import { Signal } from '../../../support/waiting.js';

const CLIENTS = 8;
const REQUESTS = 25;
const harness = transports();
const askers: ChildProcess[] = [];
afterAll(() => askers.forEach((asker) => asker.kill('SIGKILL')));

it('a reply reaches the requester alone, among 8 client processes on one pattern', async () => {
  await harness.server({ double: (n: number) => n * 2 });
  const program = 'test/support/programs/requester.ts';
  // Without probes, which are messages too.
  const args = [JSON.stringify([harness.options({ probeInterval: 0 }), REQUESTS])];
  for (let n = 0; n < CLIENTS; n++) {
    askers.push(startProgram(program, args, { stdio: ['inherit', 'inherit', 'inherit', 'ipc'] }));
  }
  await Promise.all(askers.map((asker) => once(asker, 'message')));
  const reports = await Promise.all(
    askers.map(async (asker) => {
      const report = once(asker, 'message');
      asker.send('report');
      return ((await report) as [unknown])[0];
    }),
  );
  expect(reports).toEqual(askers.map(() => ({ right: REQUESTS, messages: REQUESTS })));
});

it('no other subscriber receives a reply: not by the name of the pattern, nor by a wildcard', async () => {
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
