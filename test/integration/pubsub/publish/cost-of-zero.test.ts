import { describe, expect, it } from '@jest/globals';
import { engines } from '../../../support/engines.js';
import { unique } from '../../../support/names.js';
import { ownCluster } from '../../../support/own-cluster.js';
import { plainConnections } from '../../../support/plain-connections.js';

describe('a count of 0 that is verified', () => {
  const open = engines();
  const plain = plainConnections();
  const cluster = ownCluster({ masters: 3, replicas: 0 });

  it.each(['publish', 'spublish'] as const)(
    'shares its CLUSTER SLOTS with others: a burst of %s to nobody asks a few times, not once a message',
    async (publish) => {
      const pubsub = open({}, { nodes: cluster.nodes });
      const name = unique('nobody');
      await pubsub[publish](name, '', { verifyZero: true });
      const before = await slotsAsked();
      const burst = Array.from({ length: 1_000 }, () => pubsub[publish](name, '', { verifyZero: true }));
      expect(new Set(await Promise.all(burst))).toEqual(new Set([0]));
      expect((await slotsAsked()) - before).toBeLessThan(100);
    },
  );

  /** How often CLUSTER SLOTS has been called, at all nodes. */
  async function slotsAsked(): Promise<number> {
    const stats = await Promise.all(cluster.nodes.map(({ port }) => plain(port).info('commandstats')));
    return stats
      .map((text) => Number(/cmdstat_cluster\|slots:calls=(\d+)/.exec(text)?.[1] ?? 0))
      .reduce((sum, calls) => sum + calls, 0);
  }
});
