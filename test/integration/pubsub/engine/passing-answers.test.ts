import { describe, expect, it } from '@jest/globals';
import { rmSync } from 'node:fs';
import type { ClusterPubSub } from '../../../../src/pubsub/index.js';
import { engines } from '../../../support/engines.js';
import { ReceivedMessages } from '../../../support/messages.js';
import { unique } from '../../../support/names.js';
import { ownCluster } from '../../../support/own-cluster.js';
import { plainConnections, portOf } from '../../../support/plain-connections.js';
import { eventually } from '../../../support/waiting.js';

const BUSY_MS = 800;

const SPIN = `
  local function now() local t = redis.call('TIME') return t[1] * 1000000 + t[2] end
  local start = now()
  while now() - start < ${BUSY_MS * 1_000} do end`;

describe('a node that runs a long script', () => {
  const open = engines();
  const connect = plainConnections();
  // Longer than the script, or the other nodes take the busy one for failed.
  const cluster = ownCluster({ replicas: 0, nodeTimeout: 15_000, config: { 'busy-reply-threshold': 20 } });

  const engine = (): ClusterPubSub => open({}, { nodes: cluster.nodes });

  /** A name whose slot is on the same node as the slot of `name`. */
  const beside = (pubsub: ClusterPubSub, name: string): string => {
    for (;;) {
      const other = unique();
      if (pubsub.nodeOf(other) === pubsub.nodeOf(name)) return other;
    }
  };

  /** Resolves when the owner of `channel` has begun to answer BUSY; the promise in it when that is over. */
  const occupy = async (pubsub: ClusterPubSub, channel: string): Promise<{ over: Promise<unknown> }> => {
    const node = portOf(pubsub.nodeOf(channel));
    const watch = connect(node);
    const over = connect(node).eval(SPIN, 0);
    await eventually(
      async () => /^BUSY/.test((await watch.ping().catch(String)).replace(/^.*?: /, '')),
      'busy',
    );
    return { over };
  };

  it('is waited for by publishes and subscriptions', async () => {
    const pubsub = engine();
    const received = new ReceivedMessages();
    const channel = unique();
    await pubsub.ssubscribe({ [channel]: received.handler });
    await pubsub.spublish(channel, 'before');
    const other = beside(pubsub, channel);
    const { over } = await occupy(pubsub, channel);
    await Promise.all([
      pubsub.ssubscribe({ [other]: received.handler }),
      expect(pubsub.spublish(channel, 'meanwhile')).resolves.toBe(1),
    ]);
    await over;
    expect(await pubsub.spublish(other, 'after')).toBe(1);
    await received.has(3);
    expect(received.data).toEqual(['before', 'meanwhile', 'after']);
  });

  it('ends a subscription that was unsubscribed meanwhile, without an error', async () => {
    const pubsub = engine();
    const errors: unknown[] = [];
    pubsub.on('error', (error) => errors.push(error));
    const channel = unique();
    await pubsub.ssubscribe(channel);
    const { over } = await occupy(pubsub, channel);
    await pubsub.sunsubscribe(channel);
    await over;
    expect(await engine().pubsubShardNumsub(channel)).toEqual(new Map([[channel, 0]]));
    expect(errors).toEqual([]);
  });
});

describe('a node that cannot save its data', () => {
  const open = engines();
  const connect = plainConnections();
  const cluster = ownCluster({ replicas: 0 });

  it('is used all the same: it refuses writes and PING, and serves publishers and subscribers', async () => {
    for (const { port } of cluster.nodes) {
      const redis = connect(port);
      const [, folder] = (await redis.config('GET', 'dir')) as [string, string];
      await redis.config('SET', 'save', '3600 1');
      rmSync(folder, { recursive: true, force: true });
      await redis.bgsave().catch(() => undefined);
      await eventually(async () => /MISCONF/.test(await redis.ping().catch(String)), 'MISCONF');
    }
    const pubsub = open({}, { nodes: cluster.nodes });
    const received = new ReceivedMessages();
    const channel = unique();
    await pubsub.ssubscribe({ [channel]: received.handler });
    expect(await pubsub.spublish(channel, 'x')).toBe(1);
    await received.has(1);
    expect((await pubsub.health()).status).toBe('up');
  });
});
