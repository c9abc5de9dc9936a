import { describe, expect, it } from '@jest/globals';
import { engines } from '../../../support/engines.js';
import { ReceivedMessages } from '../../../support/messages.js';
import { unique } from '../../../support/names.js';
import { sharedCluster } from '../../../support/shared-cluster.js';

const commandTimeout = 200;

describe('an application that keeps the event loop busy longer than the command timeout', () => {
  const open = engines();

  it('does not take live nodes for dead', async () => {
    const pubsub = open({}, { nodes: sharedCluster(), commandTimeout });
    const channel = unique();
    const received = new ReceivedMessages();
    const losses: unknown[] = [];
    pubsub.on('interrupted', (loss) => losses.push(loss));
    await pubsub.subscribe({ [channel]: received.handler });
    await pubsub.publish(channel, 'to have a connection');
    for (let round = 0; round < 3; round += 1) {
      const publishing = pubsub.publish(channel, 'x');
      const subscribing = pubsub.subscribe(unique());
      subscribing.catch(() => undefined);
      // Out they go, and then the answers wait unread in the kernel.
      await new Promise((resolve) => setImmediate(resolve));
      block(2 * commandTimeout);
      expect(await publishing).toBe(1);
      await subscribing;
    }
    await received.has(4);
    expect(losses).toEqual([]);
  });
});

function block(milliseconds: number): void {
  const end = performance.now() + milliseconds;
  while (performance.now() < end);
}
