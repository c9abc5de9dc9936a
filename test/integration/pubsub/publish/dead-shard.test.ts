import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  ClusterPubSub,
  type Gap,
  type Interruption,
  type PublishError,
} from '../../../../src/pubsub/index.js';
import { Inbox } from '../../../support/messages.js';
import { uniques } from '../../../support/names.js';
import { ownCluster } from '../../../support/own-cluster.js';
import { portOf } from '../../../support/plain-connections.js';
import { Traffic } from '../../../support/traffic.js';
import { next } from '../../../support/waiting.js';

const COMMAND_TIMEOUT = 1_000;

/** One channel of a living shard, or of the dead one. */
interface Stream {
  readonly channel: string;
  readonly inbox: Inbox;
  readonly traffic: Traffic;
}

describe.each([true, false])('while a master is dead (sequence: %s)', (sequence) => {
  const cluster = ownCluster({ nodeTimeout: 2_000 });
  let publisher: ClusterPubSub;
  let subscriber: ClusterPubSub;
  let promoted: string;
  const dead: Stream[] = [];
  const living: Stream[] = [];
  const gaps: Gap[] = [];
  const losses: Interruption[] = [];

  beforeAll(async () => {
    [publisher, subscriber] = [0, 1].map(
      () => new ClusterPubSub({ nodes: cluster.nodes, commandTimeout: COMMAND_TIMEOUT }, { sequence }),
    ) as [ClusterPubSub, ClusterPubSub];
    subscriber.on('gap', (gap) => gaps.push(gap));
    subscriber.on('interrupted', (loss) => losses.push(loss));
    const channels = uniques(12);
    await publisher.connect();
    const victim = publisher.nodeOf(channels[0]!)!;
    const [replica] = await cluster.replicasOf({ port: portOf(victim) });
    promoted = `127.0.0.1:${String(replica!.port)}`;
    for (const channel of channels) {
      const inbox = new Inbox();
      await subscriber.ssubscribe({ [channel]: inbox.handler });
      const traffic = new Traffic((data) => publisher.spublish(channel, data), 50);
      (publisher.nodeOf(channel) === victim ? dead : living).push({ channel, inbox, traffic });
    }
    const all = [...dead, ...living];
    await Promise.all(all.map(({ traffic }) => traffic.more(10)));
    const back = subscribersBack();
    await cluster.kill({ port: portOf(victim) });
    await back;
    await Promise.all(all.map(({ traffic }) => traffic.more(50)));
    await Promise.all(all.map(({ traffic }) => traffic.stop()));
    await Promise.all(all.map(({ inbox, traffic }) => inbox.has(({ data }) => data === traffic.last)));
  });

  afterAll(async () => {
    await Promise.all([...dead, ...living].map(({ traffic }) => traffic.stop()));
    await Promise.all([publisher.close(), subscriber.close()]);
  });

  async function subscribersBack(): Promise<void> {
    const names = new Set(dead.map(({ channel }) => channel));
    while (names.size > 0) {
      const gap = await next(subscriber, 'gap');
      for (const name of gap.names) names.delete(String(name));
    }
  }

  it('messages for other shards all arrive, in order, each within half a second', () => {
    for (const { inbox, traffic } of living) {
      expect(traffic.failed).toEqual([]);
      expect(inbox.data).toEqual(traffic.sent.map((_, number) => String(number)));
    }
    const slowest = Math.max(
      ...living.flatMap(({ traffic }) =>
        traffic.sent.map(({ calledAt, answeredAt }) => answeredAt - calledAt),
      ),
    );
    expect(slowest).toBeLessThan(500);
  });

  it('messages for the dead one have their outcome soon: a count, or not delivered, or unknown', () => {
    for (const { traffic } of dead) {
      for (const { outcome, calledAt, answeredAt } of traffic.sent) {
        // They may have waited for the node, and then for their subscribers.
        expect(answeredAt - calledAt).toBeLessThan(COMMAND_TIMEOUT + 500 + 1_000);
        if (outcome instanceof Error) {
          expect(outcome).toMatchObject({ code: 'PUBLISH_FAILED' });
          expect(['not-delivered', 'unknown']).toContain((outcome as PublishError).outcome);
        }
      }
    }
  });

  it('some of these fail, for the promotion takes longer than they may wait', () => {
    const failures = dead.flatMap(({ traffic }) => traffic.failed) as PublishError[];
    expect(failures.some(({ outcome }) => outcome === 'not-delivered')).toBe(true);
  });

  it('none that is said not to be delivered arrives, none arrives twice, all are in order', () => {
    for (const { inbox, traffic } of dead) {
      const numbers = inbox.data.map(Number);
      expect(numbers).toEqual([...new Set(numbers)].sort((a, b) => a - b));
      const refused = traffic.sent.flatMap(({ outcome }, number) =>
        outcome instanceof Error && (outcome as PublishError).outcome === 'not-delivered' ? [number] : [],
      );
      expect(numbers.filter((number) => refused.includes(number))).toEqual([]);
    }
  });

  it('what Redis took and did not bring lies inside the gap', () => {
    for (const { channel, inbox, traffic } of dead) {
      const came = new Set(inbox.data);
      const holes = gaps.filter(({ names }) => names.includes(channel));
      const unexplained = traffic.sent
        .map((message, number) => ({ ...message, number }))
        .filter(({ outcome, number }) => typeof outcome === 'number' && !came.has(String(number)))
        .filter(
          ({ calledAt, answeredAt }) =>
            !holes.some(({ since, until }) => calledAt <= until.getTime() && answeredAt >= since.getTime()),
        );
      expect(unexplained).toEqual([]);
    }
  });

  it('its subscriptions, and no others, are lost and then found, with the gap between', () => {
    const names = dead.map(({ channel }) => channel).sort();
    expect([...new Set(losses.flatMap((loss) => loss.names))].sort()).toEqual(names);
    const interrupted = gaps.filter(({ reason }) => reason === 'connection-lost');
    expect(interrupted.flatMap((gap) => gap.names).sort()).toEqual(names);
    for (const { since, until } of interrupted) {
      expect(until.getTime()).toBeGreaterThan(since.getTime());
    }
    // What was in flight to the dead master, and could not be sent again in time, is missing by its number.
    const others = gaps.filter((gap) => !interrupted.includes(gap));
    expect(others.map(({ reason }) => reason)).toEqual(others.map(() => 'sequence'));
  });

  it('its successor carries them', async () => {
    const names = dead.map(({ channel }) => channel);
    expect(names.map((name) => subscriber.nodeOf(name))).toEqual(names.map(() => promoted));
    const standing = await subscriber.pubsubShardNumsub(...names, { aggregate: false });
    expect([...standing.get(promoted)!.values()]).toEqual(names.map(() => 1));
  });
});
