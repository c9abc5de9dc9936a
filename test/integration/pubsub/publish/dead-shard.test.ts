import { beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { ClusterNode } from 'ioredis';
import { slotOf } from '../../../../src/pubsub/common/channel-name.js';
import {
  ClusterPubSub,
  type Gap,
  type Interruption,
  type PublishError,
} from '../../../../src/pubsub/index.js';
import { Closing } from '../../../support/closing.js';
import { ReceivedMessages } from '../../../support/messages.js';
import { unique, uniques } from '../../../support/names.js';
import { ownCluster } from '../../../support/own-cluster.js';
import { Traffic } from '../../../support/traffic.js';
import { next } from '../../../support/waiting.js';

const COMMAND_TIMEOUT = 1_000;

/** One channel of a living shard, or of the dead one. */
interface Stream {
  readonly channel: string;
  readonly received: ReceivedMessages;
  readonly traffic: Traffic;
}

/** A publisher and a subscriber with numbered messages or without, and what they went through. */
class Run {
  readonly dead: Stream[] = [];
  readonly living: Stream[] = [];
  readonly gaps: Gap[] = [];
  readonly losses: Interruption[] = [];
  readonly publisher: ClusterPubSub;
  readonly subscriber: ClusterPubSub;

  constructor(nodes: ClusterNode[], sequence: boolean) {
    const open = (): ClusterPubSub =>
      new ClusterPubSub({ nodes, commandTimeout: COMMAND_TIMEOUT }, { sequence });
    [this.publisher, this.subscriber] = [open(), open()];
    this.subscriber.on('gap', (gap) => this.gaps.push(gap));
    this.subscriber.on('interrupted', (loss) => this.losses.push(loss));
  }

  get streams(): Stream[] {
    return [...this.dead, ...this.living];
  }

  async start(channels: readonly string[], victim: string): Promise<void> {
    for (const channel of channels) {
      const received = new ReceivedMessages();
      await this.subscriber.ssubscribe({ [channel]: received.handler });
      const traffic = new Traffic((data) => this.publisher.spublish(channel, data), 50);
      const streams = this.subscriber.nodeOf(channel) === victim ? this.dead : this.living;
      streams.push({ channel, received, traffic });
    }
    await this.more(10);
  }

  async more(count: number): Promise<void> {
    await Promise.all(this.streams.map(({ traffic }) => traffic.more(count)));
  }

  /** Resolves when each subscription of the dead shard has had a gap. */
  async subscribersBack(): Promise<void> {
    const names = new Set(this.dead.map(({ channel }) => channel));
    while (names.size > 0) {
      const gap = await next(this.subscriber, 'gap');
      for (const name of gap.names) names.delete(String(name));
    }
  }

  async end(): Promise<void> {
    await Promise.all(this.streams.map(({ traffic }) => traffic.stop()));
    await Promise.all(
      this.streams.map(({ received, traffic }) => received.has(({ data }) => data === traffic.last)),
    );
  }

  async close(): Promise<void> {
    await Promise.all(this.streams.map(({ traffic }) => traffic.stop()));
    await Promise.all([this.publisher.close(), this.subscriber.close()]);
  }
}

const cluster = ownCluster({ nodeTimeout: 2_000 });
const opened = new Closing();
const runs = new Map<boolean, Run>();
let promoted: string;

beforeAll(async () => {
  const tag = unique();
  const master = await cluster.ownerOf(slotOf(tag));
  const [replica] = await cluster.replicasOf(master);
  promoted = `127.0.0.1:${String(replica!.port)}`;
  for (const sequence of [true, false]) {
    const run = opened.add(new Run(cluster.nodes, sequence));
    runs.set(sequence, run);
    await run.start([`${String(sequence)}:{${tag}}`, ...uniques(11)], `127.0.0.1:${String(master.port)}`);
  }
  const both = [...runs.values()];
  const back = Promise.all(both.map((run) => run.subscribersBack()));
  await cluster.kill(master);
  await back;
  await Promise.all(both.map((run) => run.more(50)));
  await Promise.all(both.map((run) => run.end()));
});

describe.each([true, false])('while a master is dead (sequence: %s)', (sequence) => {
  let { dead, living, gaps, losses, subscriber } = {} as Run;
  beforeEach(() => {
    ({ dead, living, gaps, losses, subscriber } = runs.get(sequence)!);
  });

  it('messages for other shards all arrive, in order, each within half a second', () => {
    for (const { received, traffic } of living) {
      expect(traffic.failed).toEqual([]);
      expect(received.data).toEqual(traffic.sent.map((_, number) => String(number)));
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
    for (const { received, traffic } of dead) {
      const numbers = received.data.map(Number);
      expect(numbers).toEqual([...new Set(numbers)].sort((a, b) => a - b));
      const refused = traffic.sent.flatMap(({ outcome }, number) =>
        outcome instanceof Error && (outcome as PublishError).outcome === 'not-delivered' ? [number] : [],
      );
      expect(numbers.filter((number) => refused.includes(number))).toEqual([]);
    }
  });

  it('what Redis took and did not bring lies inside the gap', () => {
    for (const { channel, received, traffic } of dead) {
      const came = new Set(received.data);
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
