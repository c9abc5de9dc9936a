import { beforeAll, expect, it } from '@jest/globals';
import type { ClusterPubSub } from '../../../../src/pubsub/index.js';
import { engines } from '../../../support/engines.js';
import { ownCluster } from '../../../support/own-cluster.js';
import { plainConnections } from '../../../support/plain-connections.js';

const CHANNELS = 500_000;
const BATCH = 5_000;

const cluster = ownCluster({ masters: 3, replicas: 0 });
const open = engines();
const plain = plainConnections();
let pubsub: ClusterPubSub;
let channel = 'ours';

beforeAll(async () => {
  const stranger = plain(cluster.nodes[0]!.port);
  for (let start = 0; start < CHANNELS; start += BATCH) {
    const names = Array.from({ length: BATCH }, (_, index) => `user.${String(start + index)}.notifications`);
    await stranger.subscribe(...names);
  }
  pubsub = open({}, { nodes: cluster.nodes });
  await pubsub.connect();
  const onTheSameNode = `127.0.0.1:${String(cluster.nodes[0]!.port)}`;
  for (let tag = 0; pubsub.nodeOf(channel) !== onTheSameNode; tag += 1) {
    channel = `ours.{${String(tag)}}`;
  }
  await pubsub.subscribe({ [channel]: () => undefined });
}, 120_000);

it('health answers in time, is up, and says that there are too many channels to list', async () => {
  const before = performance.now();
  const health = await pubsub.health({ cacheTtl: 0, timeout: 1_000 });
  expect(performance.now() - before).toBeLessThan(1_000);
  expect(health).toMatchObject({ status: 'up', reasons: [], numsub: { [channel]: 1 }, complete: true });
  expect(health.activeChannels).toEqual({
    count: expect.any(Number),
    names: [channel],
    listed: false,
  });
  expect(health.activeChannels.count).toBeGreaterThan(CHANNELS);
  expect(health.shardChannels).toMatchObject({ listed: true });
});

it('publishes beside it take as long as without it', async () => {
  const usual = await highLatency();
  let isOver = false;
  const asking = (async () => {
    let checks = 0;
    for (; !isOver; checks += 1) await pubsub.health({ cacheTtl: 0 });
    return checks;
  })();
  const beside = await highLatency();
  isOver = true;
  expect(await asking).toBeGreaterThan(10);
  expect(beside).toBeLessThan(2 * usual + 1);
});

/** The 99th percentile of the times of 3,000 publishes, in ms. */
async function highLatency(): Promise<number> {
  const times: number[] = [];
  for (let index = 0; index < 3_000; index += 1) {
    const before = performance.now();
    await pubsub.publish(channel, 'x');
    times.push(performance.now() - before);
    await new Promise(setImmediate);
  }
  return times.sort((a, b) => a - b)[2_970]!;
}
