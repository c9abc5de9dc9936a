import { describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { ClusterPubSub } from '../../../../src/index.js';
import { ownCluster } from '../../../support/own-cluster.js';
import { eventually } from '../../../support/waiting.js';

/** Silent for 1 s, then proved within 1 s; the rest is for a busy machine. */
const NOTICED_WITHIN = 2_500;

/** Classic channels only, and no refresh by the clock: the node is left without a word that anything has changed. */
describe('a subscription at a node that is not the master any more', () => {
  const cluster = ownCluster({ masters: 3, replicas: 1 });

  it('leaves a demoted node, though that still delivers what is published to it', async () => {
    await using subscriber = await subscribed('demoted');
    const old = subscriber.pubsub.nodeOf('demoted');
    const [replica] = await cluster.replicasOf({ port: portOf(old) });
    await cluster.failover(replica!);
    const failedOver = performance.now();
    await eventually(
      () => subscriber.pubsub.nodeOf('demoted') !== old,
      'the demoted node is found out',
      5_000,
    );
    expect(performance.now() - failedOver).toBeLessThan(NOTICED_WITHIN);
    await subscriber.hears('at the new master');
    expect(subscriber.gaps).toBe(0);
  });

  it('leaves a detached node, which takes itself for a cluster of its own', async () => {
    await using subscriber = await subscribed('detached');
    const old = subscriber.pubsub.nodeOf('detached');
    const [replica] = await cluster.replicasOf({ port: portOf(old) });
    await cluster.failover(replica!, 'takeover');
    const detached = new Redis({ port: portOf(old), protocol: 2 });
    await detached.cluster('RESET', 'SOFT');
    detached.disconnect();
    const failedOver = performance.now();
    await eventually(
      () => subscriber.pubsub.nodeOf('detached') !== old,
      'the detached node is found out',
      5_000,
    );
    expect(performance.now() - failedOver).toBeLessThan(NOTICED_WITHIN);
    await subscriber.hears('at the new master');
  });

  async function subscribed(channel: string) {
    const pubsub = new ClusterPubSub(
      { nodes: cluster.nodes, clusterOptions: { slotsRefreshInterval: 0 } },
      { ignoreSubscribeMessages: true },
    );
    const publisher = new ClusterPubSub({ nodes: cluster.nodes, shared: false });
    const state = { pubsub, gaps: 0 };
    pubsub.on('gap', () => (state.gaps += 1));
    await pubsub.subscribe(channel);
    return Object.assign(state, {
      async hears(text: string): Promise<void> {
        await publisher.publish(channel, text);
        expect(await pubsub.getMessage({ timeout: 2_000 })).toMatchObject({ channel, data: text });
      },
      async [Symbol.asyncDispose](): Promise<void> {
        await Promise.all([pubsub.close(), publisher.close()]);
      },
    });
  }
});

function portOf(node: string | undefined): number {
  return Number(node?.split(':')[1]);
}
