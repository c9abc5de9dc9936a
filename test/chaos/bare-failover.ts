// Shows what a planned failover does to shard channels, without a client of ours: npx tsx test/chaos/bare-failover.ts
import { Redis } from 'ioredis';
import { setTimeout as sleep } from 'node:timers/promises';
import { slotOf } from '../../src/pubsub/common/channel-name.js';
import { startLocalCluster } from '../../src/testing/index.js';

const rate = 5_000;

const cluster = await startLocalCluster({ masters: 3, replicas: 1 });
const opened: Redis[] = [];
try {
  const [master] = await cluster.masters();
  const [replica] = await cluster.replicasOf(master!);
  const open = (port: number): Redis => {
    const redis = new Redis({ port, protocol: 2 });
    opened.push(redis);
    return redis;
  };
  const channel = Array.from({ length: 1_000 }, (_, i) => `channel.${i}`).find((name) =>
    master!.slots.some(([first, last]) => slotOf(name) >= first && slotOf(name) <= last),
  )!;
  const [atMaster, atReplica, publisher] = [open(master!.port), open(replica!.port), open(master!.port)];
  const received = { atMaster: new Set<string>(), atReplica: new Set<string>() };
  atMaster.on('smessage', (_channel: string, text: string) => received.atMaster.add(text));
  atReplica.on('smessage', (_channel: string, text: string) => received.atReplica.add(text));
  await atMaster.ssubscribe(channel);
  await atReplica.ssubscribe(channel);
  const last = { word: 'silence' };
  // ioredis does not emit a `sunsubscribe` that it has not requested.
  atMaster.stream.on(
    'data',
    (bytes: Buffer) => bytes.includes('sunsubscribe') && (last.word = 'sunsubscribe'),
  );

  const counts: { readonly count: number; readonly waited: number }[] = [];
  const pending: Promise<unknown>[] = [];
  const started = performance.now();
  let sent = 0;
  const publish = (): void => {
    for (const due = ((performance.now() - started) * rate) / 1_000; sent < due; sent++) {
      const at = performance.now();
      const answer = publisher.spublish(channel, String(sent)) as Promise<number>;
      pending.push(answer.then((count) => counts.push({ count, waited: performance.now() - at })));
    }
  };
  const clock = setInterval(publish, 1);
  await sleep(500);
  await cluster.failover(replica!);
  await sleep(500);
  clearInterval(clock);
  await Promise.all(pending);
  await sleep(200);
  const nobody = counts.filter(({ count }) => count === 0);
  console.log(`published at the old master: ${sent}; counted 0 there: ${nobody.length}`);
  console.log(
    `longest wait of a publisher: ${Math.max(...counts.map(({ waited }) => waited)).toFixed(0)} ms`,
  );
  console.log(`received at the old master: ${received.atMaster.size}, then ${last.word}`);
  console.log(`received at the replica that was promoted: ${received.atReplica.size}`);
} finally {
  opened.forEach((redis) => redis.disconnect());
  await cluster.stop();
}
