import { describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Gap, PubSubMetrics } from '../../../../src/pubsub/index.js';
import { engines } from '../../../support/engines.js';
import { ReceivedMessages } from '../../../support/messages.js';
import { unique } from '../../../support/names.js';
import { ownCluster } from '../../../support/own-cluster.js';
import { plainConnections } from '../../../support/plain-connections.js';
import { startProgram } from '../../../support/programs.js';
import { eventually } from '../../../support/waiting.js';

describe('a consumer that does not keep up', () => {
  const open = engines();
  const plain = plainConnections();
  const cluster = ownCluster({
    masters: 1,
    replicas: 0,
    config: { 'client-output-buffer-limit': 'pubsub 1mb 0 0' },
  });

  it('is cut off by Redis, comes back, and reports the gap with that reason', async () => {
    const channel = unique();
    const consumer = await startConsumer(channel);
    try {
      expect(await consumer.next()).toBe('ready');
      const redis = plain(cluster.nodes[0]!.port);
      await redis.call('SPUBLISH', channel, 'block');
      expect(await consumer.next()).toBe('blocked');
      const lostFrom = Date.now();

      // What the sockets of both sides hold comes first; then Redis keeps up to 1 MB, and ends the connection.
      const much = Buffer.alloc(262_144, 'x');
      await eventually(
        async () => Number(await redis.call('SPUBLISH', channel, much)) === 0,
        'it is cut off',
      );
      consumer.release();

      const { gap, metrics } = JSON.parse(await consumer.next()) as { gap: Gap; metrics: PubSubMetrics };
      expect(gap).toMatchObject({ kind: 'shard', names: [channel], reason: 'slow-consumer' });
      // What arrived was read when the consumer read again, and ends long before that.
      expect(Date.parse(String(gap.since))).toBeLessThanOrEqual(lostFrom);
      expect(metrics).toMatchObject({ gaps: 1, connectionsLost: 1, confirmed: 1, desired: 1 });
      expect(await consumer.code).toBe(0);
    } finally {
      await consumer.end();
    }
  });

  it('shows in the metrics for how long a handler kept the event loop', async () => {
    const channel = unique();
    const pubsub = open({}, { nodes: cluster.nodes });
    const received = new ReceivedMessages();
    await pubsub.ssubscribe({
      [channel]: (message) => {
        const until = performance.now() + Number(message.data);
        while (performance.now() < until);
        received.handler(message);
      },
    });
    await pubsub.spublish(channel, '0');
    await received.has(1);
    const before = pubsub.metrics().maxDispatchTime;
    await pubsub.spublish(channel, String(before + 100));
    await received.has(2);
    // Told when the read is done that brought the message.
    await eventually(() => pubsub.metrics().maxDispatchTime >= before + 100, 'it shows');
  });

  /** Runs test/support/programs/slow-consumer.ts; `next()` is the next line it prints. */
  async function startConsumer(channel: string) {
    const file = join(cluster.folder, `release-${String(Date.now())}`);
    const args = [JSON.stringify(cluster.nodes), channel, file];
    const child = startProgram('test/support/programs/slow-consumer.ts', args);
    const code = once(child, 'close').then(() => child.exitCode);
    const lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
    return {
      code,
      next: async (): Promise<string> => String((await lines.next()).value),
      release: () => writeFileSync(file, ''),
      end: async (): Promise<void> => {
        child.kill('SIGKILL');
        await code;
      },
    };
  }
});
