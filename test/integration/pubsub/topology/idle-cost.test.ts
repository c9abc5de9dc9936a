import { describe, expect, it } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { MAX_WATCHED_SLOTS } from '../../../../src/pubsub/liveness/slot-watch.js';
import { engines } from '../../../support/engines.js';
import { unique } from '../../../support/names.js';
import { ownCluster } from '../../../support/own-cluster.js';
import { plainConnections } from '../../../support/plain-connections.js';
import { eventually } from '../../../support/waiting.js';

const MEASURED_S = 8;

/** Counted by the nodes. What PING and probes cost depends on `probeInterval`, and is not counted. */
describe('an idle engine', () => {
  const open = engines();
  const plain = plainConnections();
  const cluster = ownCluster({ masters: 3, replicas: 0 });

  it.each([
    ['with what handlers need: a shard subscription for each classic one, and patterns', 20, true, 0.6],
    ['with some classic channels alone, whose slots are watched', 20, false, 0.6],
    ['with more classic channels alone than slots are watched for', MAX_WATCHED_SLOTS + 1, false, 1.6],
  ])('%s, sends no more commands than its signs leave open', async (_, count, accompanied, most) => {
    const names = Array.from({ length: count }, () => unique());
    const pubsub = open({}, { nodes: cluster.nodes });
    await pubsub.subscribe(names);
    if (accompanied) await pubsub.ssubscribe(names);
    await pubsub.psubscribe(unique('*'));
    await eventually(() => pubsub.metrics().probes >= 9, 'each connection was silent for seconds');
    const redis = cluster.nodes.map(({ port }) => plain(port));
    await Promise.all(redis.map((node) => node.config('RESETSTAT')));
    await sleep(MEASURED_S * 1_000);
    const counts = await Promise.all(redis.map(async (node) => commandsIn(await node.info('commandstats'))));
    expect(counts.reduce((sum, count) => sum + count) / MEASURED_S).toBeLessThan(most);
    expect(pubsub.metrics()).toMatchObject({ probesLost: 0, gaps: 0 });
    await pubsub.close();
  });
});

function commandsIn(commandstats: string): number {
  return [...commandstats.matchAll(/^cmdstat_([^:]+):calls=(\d+)/gm)]
    .filter(([, name]) => !/^(ping|spublish|config\|resetstat|info|cluster\|(nodes|myid))$/.test(name!))
    .reduce((sum, [, , calls]) => sum + Number(calls), 0);
}
