import { expect, it } from '@jest/globals';
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { slotOf } from '../../../../src/pubsub/common/channel-name.js';
import { engines } from '../../../support/engines.js';
import { ReceivedMessages } from '../../../support/messages.js';
import { unique } from '../../../support/names.js';
import { ownCluster } from '../../../support/own-cluster.js';
import { next } from '../../../support/waiting.js';

/** What another program does: publishes 0, 1, 2, … at one node, a few a tick, until it is told to stop. */
const PUBLISHER = `
  const { Redis } = require('ioredis');
  const { parentPort, workerData } = require('node:worker_threads');
  const redis = new Redis(workerData.node);
  let number = 0;
  const timer = setInterval(() => { redis.publish(workerData.channel, String(number++)); }, 5);
  parentPort.once('message', async () => {
    clearInterval(timer);
    await redis.publish(workerData.channel, 'last');
    redis.disconnect();
    parentPort.postMessage(number);
  });
`;

const open = engines();
const cluster = ownCluster({ masters: 3, replicas: 0 });

it('a move delivers each message once and in order to a busy reader, from any publisher', async () => {
  const channel = unique();
  const slot = slotOf(channel);
  const owner = await cluster.ownerOf(slot);
  const [target, elsewhere] = (await cluster.masters()).filter(({ port }) => port !== owner.port);
  const received = new ReceivedMessages();
  const pubsub = open({}, { nodes: cluster.nodes });
  await pubsub.subscribe({
    [channel]: (message) => {
      // By the time it is read, what the old node has sent is with the new one, too.
      const until = performance.now() + 4;
      while (performance.now() < until);
      received.handler(message);
    },
  });
  const node = { host: elsewhere!.host, port: elsewhere!.port };
  const worker = new Worker(PUBLISHER, { eval: true, workerData: { node, channel } });
  try {
    for (const to of [target!, owner, target!, owner]) {
      await received.has(received.messages.length + 30);
      const moved = next(pubsub, 'moved');
      await cluster.moveSlot(slot, to);
      await moved;
    }
    await received.has(received.messages.length + 30);
    worker.postMessage('stop');
    const [count] = (await once(worker, 'message')) as [number];
    await received.has(({ data }) => data === 'last');
    const numbers = received.data.slice(0, -1).map(Number);
    const first = numbers[0]!;
    expect(numbers).toEqual(Array.from({ length: count - first }, (_, index) => first + index));
  } finally {
    await worker.terminate();
  }
});
