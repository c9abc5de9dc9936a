import { describe, expect, it } from '@jest/globals';
import { engines } from '../../../support/engines.js';
import { ReceivedMessages } from '../../../support/messages.js';
import { unique } from '../../../support/names.js';
import { ownCluster, withoutSharded } from '../../../support/own-cluster.js';

describe('a cluster without sharded pub/sub (Redis 6)', () => {
  const open = engines();
  const cluster = ownCluster({ masters: 3, replicas: 0, config: withoutSharded });

  it('is known once connected', async () => {
    const pubsub = open({}, { nodes: cluster.nodes });
    expect(pubsub.supportsSharded).toBe(true);
    await pubsub.connect();
    expect(pubsub.supportsSharded).toBe(false);
  });

  it('refuses what is sharded with an error that says so, and serves the rest', async () => {
    const pubsub = open({}, { nodes: cluster.nodes });
    const channel = unique();
    const received = new ReceivedMessages();
    await expect(pubsub.ssubscribe(channel)).rejects.toMatchObject({ code: 'SHARDED_UNSUPPORTED' });
    await expect(pubsub.spublish(channel, '')).rejects.toMatchObject({ code: 'SHARDED_UNSUPPORTED' });
    expect(pubsub.subscribed).toBe(false);
    await pubsub.subscribe({ [channel]: received.handler });
    expect(await pubsub.publish(channel, 'x')).toBe(1);
    await received.has(1);
  });
});
