import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { expect, it } from '@jest/globals';
import { lastValueFrom } from 'rxjs';
import { sharedCluster } from '../../../support/shared-cluster.js';
import { transports } from '../../../support/transports.js';
import { Signal } from '../../../support/waiting.js';

const run = promisify(execFile);
const nodes = sharedCluster() as { host: string; port: number }[];
const harness = transports();

it('what redis-cli publishes at any node reaches exact and wildcard handlers, each once', async () => {
  const got: string[] = [];
  const all = new Signal();
  const take =
    (handler: string) =>
    ({ id }: { id: number }): void => {
      if (got.push(`${handler} ${String(id)}`) === 2 * nodes.length) all.resolve();
    };
  await harness.server({ 'event:order.created': take('exact'), 'event:order.*': take('wildcard') });
  for (const [id, { port }] of nodes.entries()) {
    const channel = `${harness.prefix}order.created`;
    await run('redis-cli', ['-c', '-p', String(port), 'PUBLISH', channel, JSON.stringify({ id })]);
  }
  await all.promise;
  const expected = nodes.flatMap((_, id) => [`exact ${String(id)}`, `wildcard ${String(id)}`]);
  expect(got.sort()).toEqual(expected.sort());
});

it('what emit publishes reaches redis-cli SUBSCRIBE at any node, as JSON that stock Nest would send', async () => {
  const client = harness.client();
  for (const { port } of nodes) {
    // One for each node: a message still on the cluster bus would reach the next subscriber too.
    const pattern = `order.created.${String(port)}`;
    const channel = harness.prefix + pattern;
    const cli = spawn('redis-cli', ['-p', String(port), 'SUBSCRIBE', channel]);
    try {
      const lines = createInterface({ input: cli.stdout })[Symbol.asyncIterator]();
      const next = async (): Promise<string> => ((await lines.next()) as { value: string }).value;
      expect([await next(), await next(), await next()]).toEqual(['subscribe', channel, '1']);
      await lastValueFrom(client.emit(pattern, { id: port }));
      expect([await next(), await next()]).toEqual(['message', channel]);
      const { _cps, ...packet } = JSON.parse(await next()) as Record<string, unknown>;
      expect(packet).toEqual({ pattern, data: { id: port } });
      expect(_cps).toEqual({ s: expect.stringMatching(/^[\w-]{8}\.[0-9a-z]+\.[0-9a-z]+$/) });
    } finally {
      cli.kill();
      await once(cli, 'exit');
    }
  }
});

it('what emit publishes is byte for byte what stock Nest would send, where messages are not numbered', async () => {
  const received = new Signal<string>();
  const redis = harness.redis();
  try {
    await redis.subscribe(`${harness.prefix}order.created`);
    redis.on('message', (_channel: string, text: string) => received.resolve(text));
    const client = harness.client({ sequence: false });
    await lastValueFrom(client.emit('order.created', { id: 7 }));
    expect(await received.promise).toBe('{"pattern":"order.created","data":{"id":7}}');
  } finally {
    redis.disconnect();
  }
});
