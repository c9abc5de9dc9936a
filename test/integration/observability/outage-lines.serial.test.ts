import { beforeAll, expect, it } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { Redis } from 'ioredis';
import { ownCluster } from '../../support/own-cluster.js';
import { addHandlers, listen, outcome, transports } from '../../support/transports.js';
import { eventually } from '../../support/waiting.js';

/** About six, as docs/observability.md says: each side may tell of each kind of trouble once. */
const FEW = 8;

const cluster = ownCluster({ masters: 3, replicas: 1, nodeTimeout: 1_000 });
const harness = transports(cluster);
const lines: string[] = [];

beforeAll(() => {
  const keep = (message: unknown, ...more: unknown[]): void =>
    void lines.push(`${String(more.at(-1))} ${String(message)}`);
  Logger.overrideLogger({ log: keep, warn: keep, error: keep });
});

const linesWith = (text: string): string[] => lines.filter((line) => line.includes(text));

it('a killed master is a handful of lines, however many messages fail meanwhile; each change of state is one', async () => {
  const names = Array.from({ length: 60 }, (_, n) => `{${String(n)}}`);
  const server = harness.newServer({ commandTimeout: 300 });
  addHandlers(
    server,
    Object.fromEntries(
      names.flatMap((name) => [
        [name, () => 1],
        [`event:told.${name}`, () => 1],
      ]),
    ),
  );
  await listen(server);
  expect(linesWith('Mapped')).toHaveLength(120);
  const client = harness.client({ commandTimeout: 300, requestTimeout: 300 });
  for (const name of names) await outcome(client.send(name, 1));
  const before = lines.length;

  let failures = 0;
  const traffic = setInterval(() => {
    for (const name of names) {
      client.emit(`told.${name}`, 1); // nobody watches: a failure of it is logged
      client.send(name, 1).subscribe({ error: () => (failures += 1) });
    }
  }, 20);
  const [victim] = await cluster.masters();
  await cluster.kill(victim!);
  await eventually(() => linesWith('Subscriptions interrupted').length > 0, 'the interruption is written');
  await cluster.settled();
  await eventually(
    () => linesWith('subscriptions restored').length === linesWith('Subscriptions interrupted').length,
    'all is well',
  );
  await eventually(
    () => server.metrics().pubsub!.confirmed === server.metrics().pubsub!.desired,
    'all are active',
  );
  clearInterval(traffic);
  await eventually(() => client.metrics().inFlight === 0, 'all requests are over');

  expect(failures).toBeGreaterThan(100);
  expect(client.metrics().pubsub!.publishErrors).toBeGreaterThan(100);
  const written = lines.slice(before);
  for (const who of ['ClusterPubSubServer', 'ClusterPubSubClient']) {
    const its = written.filter((line) => line.startsWith(who));
    expect({ who, few: its.length > 0 && its.length <= FEW, its }).toMatchObject({ few: true });
  }
  // The server's, and the one of the client, whose inboxes are subscriptions too.
  expect(linesWith('Subscriptions interrupted').length).toBeLessThanOrEqual(2);
  expect(linesWith('subscriptions restored')).toHaveLength(linesWith('Subscriptions interrupted').length);
  expect(linesWith('moved: ').length).toBeLessThanOrEqual(2);
}, 60_000);

it('a master that stays away soon after an interruption of a moment is written of, with when it went', async () => {
  lines.length = 0;
  const server = harness.newServer();
  const names = Array.from({ length: 30 }, (_, n) => `{${String(n)}}`);
  addHandlers(server, Object.fromEntries(names.map((name) => [name, () => 1])));
  await listen(server);
  const isWhole = (): boolean => server.metrics().pubsub!.confirmed === server.metrics().pubsub!.desired;
  const [victim] = await cluster.masters();
  const plain = new Redis({ host: victim!.host, port: victim!.port });
  await plain.client('KILL', 'TYPE', 'PUBSUB');
  plain.disconnect();
  await eventually(() => linesWith('subscriptions restored').length === 1 && isWhole(), 'the moment is over');

  for (const replica of await cluster.replicasOf(victim!)) await cluster.kill(replica);
  await cluster.kill(victim!);
  await eventually(() => linesWith('Subscriptions interrupted').length === 2, 'it is written', 15_000);
  expect(linesWith('subscriptions restored')).toHaveLength(1);
  const ago = Number(/interrupted (\d+) ms ago/.exec(linesWith('Subscriptions interrupted')[1]!)?.[1]);
  expect(ago).toBeGreaterThan(2_000);
  await cluster.restart(victim!);
  await eventually(() => linesWith('subscriptions restored').length === 2, 'all is well', 15_000);
  expect(Number(/after (\d+) ms/.exec(linesWith('subscriptions restored')[1]!)?.[1])).toBeGreaterThan(ago);
}, 60_000);

it('a server that is closed in an outage does not log that its subscriptions are restored', async () => {
  lines.length = 0;
  const server = harness.newServer({ probeInterval: 100, probeTimeout: 100, commandTimeout: 300 });
  addHandlers(server, { ping: () => 'pong' });
  await listen(server);
  const statuses: string[] = [];
  server.status.subscribe((status) => statuses.push(status));
  await Promise.all(cluster.nodes.map((node) => cluster.pause(node)));
  try {
    await eventually(() => linesWith('Subscriptions interrupted').length === 1, 'it is noticed');
    await server.close();
  } finally {
    await Promise.all(cluster.nodes.map((node) => cluster.resume(node)));
  }
  expect(statuses).toEqual(['connected', 'reconnecting', 'disconnected']);
  expect(linesWith('subscriptions restored')).toEqual([]);
}, 60_000);
