// npm run walks [-- --list]: which files of src three walks enter: a request round trip, an event of a foreign
// program, a slot migration. Counted by V8: a file is entered when one of its functions is called. The first two are
// what a newcomer reads to follow a message, so they have a limit.
import { Session } from 'node:inspector/promises';
import process from 'node:process';
import { Logger } from '@nestjs/common';
import slotOf from 'cluster-key-slot';
import { Redis } from 'ioredis';
import { firstValueFrom } from 'rxjs';
import { ClusterPubSub, ClusterPubSubClient, ClusterPubSubServer } from '../src/index.ts';
import { startLocalCluster } from '../src/testing/index.ts';

const REQUEST_LIMIT = 45;
const EVENT_LIMIT = 20;

const source = new URL('../src/', import.meta.url).href;
const isListed = process.argv.includes('--list');
const profiler = new Session();
profiler.connect();
await profiler.post('Profiler.enable');

Logger.overrideLogger(false);
const cluster = await startLocalCluster({ masters: 3, replicas: 0, nodeTimeout: 60_000 });
const options = { nodes: cluster.nodes, prefix: 'walks:', probeInterval: 0 };
try {
  await walkMessages();
  await walkMigration();
} finally {
  await cluster.stop();
}

async function walkMessages() {
  const server = new ClusterPubSubServer(options);
  const client = new ClusterPubSubClient(options);
  let arrived = () => {};
  server.addHandler('sum', async ({ a, b }) => a + b, false);
  server.addHandler('news', async () => arrived(), true);
  await new Promise((resolve) => server.listen(resolve));
  await client.connect();
  const request = () => firstValueFrom(client.send('sum', { a: 1, b: 2 }));
  await walk('request round trip', request, REQUEST_LIMIT);

  const [, host, port] = /^(.*):(\d+)$/.exec(server.unwrap().nodeOf('walks:news'));
  const foreign = new Redis({ host, port: Number(port) });
  const event = () =>
    new Promise((resolve) => {
      arrived = resolve;
      void foreign.publish('walks:news', '{"title":"x"}');
    });
  await walk('foreign event', event, EVENT_LIMIT);
  foreign.disconnect();
  await client.close();
  await server.close();
}

async function walkMigration() {
  const subscriber = new ClusterPubSub(options);
  const publisher = new ClusterPubSub(options);
  const data = [];
  await subscriber.ssubscribe({ orders: (message) => data.push(message.data) });
  await publisher.spublish('orders', 'first');
  const migrate = async () => {
    const from = subscriber.nodeOf('orders');
    const to = cluster.nodes.find(({ port }) => !from.endsWith(`:${port}`));
    const moved = new Promise((resolve) => subscriber.once('moved', resolve));
    await cluster.moveSlot(slotOf('orders'), to);
    await publisher.spublish('orders', 'second');
    await moved;
  };
  await walk('slot migration', migrate, Infinity, 3);
  await publisher.close();
  await subscriber.close();
}

/** Counts what each of several goes enters: a poll or a probe that happens to fall into one of them does not count. */
async function walk(name, go, limit, times = 10) {
  for (let warmUp = 0; warmUp < times; warmUp++) await go();
  let entered;
  for (let time = 0; time < times; time++) {
    await profiler.post('Profiler.startPreciseCoverage', { callCount: true, detailed: false });
    await go();
    const { result } = await profiler.post('Profiler.takePreciseCoverage');
    await profiler.post('Profiler.stopPreciseCoverage');
    const files = result
      .filter(({ url }) => url.startsWith(source) && !url.startsWith(`${source}testing/`))
      .filter(({ functions }) => functions.some(({ ranges }) => ranges[0].count > 0))
      .map(({ url }) => url.slice(source.length));
    entered = entered?.filter((file) => files.includes(file)) ?? files;
  }
  console.log(`${name}: ${entered.length} files${Number.isFinite(limit) ? ` (limit ${limit})` : ''}`);
  if (isListed)
    console.log(
      entered
        .sort()
        .map((file) => `  ${file}`)
        .join('\n'),
    );
  if (entered.length > limit) process.exitCode = 1;
}
