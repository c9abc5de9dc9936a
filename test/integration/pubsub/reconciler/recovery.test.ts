import { describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import type { ClusterPubSub, Gap, Interruption, Moved } from '../../../../src/pubsub/index.js';
import { engines } from '../../../support/engines.js';
import { ReceivedMessages } from '../../../support/messages.js';
import { unique, uniques } from '../../../support/names.js';
import { ownCluster } from '../../../support/own-cluster.js';
import { plainConnections, portOf } from '../../../support/plain-connections.js';
import { eventually } from '../../../support/waiting.js';

describe('after a fault', () => {
  const open = engines();
  const plain = plainConnections();
  const cluster = ownCluster({ masters: 3, replicas: 1, nodeTimeout: 1_000 });

  // No sign but the regular look at the slots tells of a classic channel's move: every 1 s unless told otherwise.
  const clusterOptions = { slotsRefreshInterval: 500 };
  const engine = (): ClusterPubSub => open({}, { nodes: cluster.nodes, clusterOptions });

  describe('a connection that drops', () => {
    it('is made anew, and the gap names what it carried', async () => {
      const [channels, patterns, shards] = [uniques(30), uniques(5), uniques(10)];
      const [publisher, subscriber] = [engine(), engine()];
      const received = new ReceivedMessages();
      const handlers = (names: string[]) => Object.fromEntries(names.map((name) => [name, received.handler]));
      await subscriber.subscribe(handlers(channels));
      await subscriber.psubscribe(handlers(patterns));
      await subscriber.ssubscribe(handlers(shards));
      const story = recordOf(subscriber);
      const recovered = gapsOf(subscriber, channels.length + patterns.length + shards.length);

      for (const master of await cluster.masters()) {
        await plain(master.port).client('KILL', 'TYPE', 'PUBSUB');
      }
      const killed = new Date();
      const gaps = await recovered;

      expect(namesOf(gaps, 'channel')).toEqual([...channels].sort());
      expect(namesOf(gaps, 'pattern')).toEqual([...patterns].sort());
      expect(namesOf(gaps, 'shard')).toEqual([...shards].sort());
      for (const { reason, since, until, node } of gaps) {
        expect(reason).toBe('connection-lost');
        expect(node).toMatch(/^127\.0\.0\.1:\d+$/);
        expect(since.getTime()).toBeLessThanOrEqual(killed.getTime());
        expect(until.getTime()).toBeGreaterThanOrEqual(since.getTime());
      }
      expect(namesOf(story.losses, 'channel')).toEqual([...channels].sort());
      // Once for each master, or fewer where one was lost before the other was back.
      expect(story.states[0]).toBe('reconnecting');
      expect(story.states.at(-1)).toBe('connected');
      expect(await Promise.all(channels.map((name) => publisher.publish(name, 'classic')))).toEqual(
        channels.map(() => 1),
      );
      expect(await Promise.all(shards.map((name) => publisher.spublish(name, 'sharded')))).toEqual(
        shards.map(() => 1),
      );
      await publisher.publish(patterns[0]!, 'matched');
      await received.has(channels.length + shards.length + 1);
    });

    it('of a publisher is made anew for the next publish', async () => {
      const [publisher, subscriber] = [engine(), engine()];
      const channel = unique();
      const received = new ReceivedMessages();
      await subscriber.subscribe({ [channel]: received.handler });
      await publisher.publish(channel, 'before');
      await plain(publisher.nodeOf(channel)).call('CLIENT', 'KILL', 'TYPE', 'NORMAL', 'SKIPME', 'YES');
      await eventually(
        () =>
          publisher.publish(channel, 'after').then(
            (count) => count === 1,
            (error: unknown) => {
              expect(error).toMatchObject({ code: 'PUBLISH_FAILED' });
              return false;
            },
          ),
        'a publish is counted again',
      );
      await received.has(({ data }) => data === 'after');
    });
  });

  describe('a slot that moves', () => {
    it('takes its shard channel with it: nothing comes twice or in the wrong order, and counts are exact', async () => {
      const channel = unique();
      const [publisher, subscriber] = [engine(), engine()];
      const received = new ReceivedMessages();
      await subscriber.ssubscribe({ [channel]: received.handler });
      const story = recordOf(subscriber);
      const { slot, source, target } = await placeOf(publisher, channel);
      const stream = streamTo((data) => publisher.spublish(channel, data));

      await stream.sent(100);
      await cluster.moveSlot(slot, target);
      await eventually(async () => (await publisher.spublish(channel, 'probe')) === 1, 'the count is 1');
      await stream.sent(100);
      await stream.stop();

      expect(publisher.nodeOf(channel)).toBe(`127.0.0.1:${target.port}`);
      await received.has(({ data }) => data === stream.last);
      const numbers = received.data.filter((data) => data !== 'probe').map(Number);
      expect(numbers).toEqual([...new Set(numbers)].sort((a, b) => a - b));
      expect(stream.failed).toEqual([]);
      expect(await publisher.spublish(channel, '')).toBe(1);
      // What was counted as taken by nobody is what is missing; and the subscriber was told that there was a hole.
      expect(numbers.map(String)).toEqual(stream.counted(1));
      if (stream.counted(0).length > 0) expect(namesOf(story.gaps, 'shard')).toEqual([channel]);
      await cluster.moveSlot(slot, source);
    });

    it('takes its classic channel with it: what was counted has come, and counts are exact again', async () => {
      const channel = unique();
      const [publisher, subscriber] = [engine(), engine()];
      const received = new ReceivedMessages();
      await subscriber.subscribe({ [channel]: received.handler });
      const story = recordOf(subscriber);
      const { slot, source, target } = await placeOf(publisher, channel);
      const stream = streamTo((data) => publisher.publish(channel, data));
      const noticed = Promise.all([once(publisher, 'moved'), once(subscriber, 'moved')]);

      await stream.sent(100);
      await cluster.moveSlot(slot, target);
      await noticed;
      await eventually(async () => (await publisher.publish(channel, 'probe')) === 1, 'the count is 1');
      await stream.sent(100);
      await stream.stop();

      expect([publisher, subscriber].map((one) => one.nodeOf(channel))).toEqual(
        [target, target].map(({ port }) => `127.0.0.1:${port}`),
      );
      await received.has(({ data }) => data === stream.last);
      // While publisher and subscriber are at different masters the count is 0 and the cluster bus carries the message;
      // the subscriber may leave the old master before the bus has brought the last of them there.
      const data = new Set(received.data);
      expect(stream.counted(1).filter((text) => !data.has(text))).toEqual([]);
      expect(stream.failed).toEqual([]);
      expect(story.losses).toEqual([]);
      await cluster.moveSlot(slot, source);
    });

    it('is reported, with the number of slots and the masters', async () => {
      const channel = unique();
      const pubsub = engine();
      await pubsub.ssubscribe(channel);
      const { slot, source, target } = await placeOf(pubsub, channel);
      const moved = once(pubsub, 'moved');
      await cluster.moveSlot(slot, target);
      const [event] = (await moved) as [Moved];
      expect(event.slots).toBe(1);
      expect(event.masters).toHaveLength(3);
      await cluster.moveSlot(slot, source);
    });
  });

  describe('a planned failover', () => {
    it.each(['publish', 'spublish'] as const)(
      'leaves each %s counted exactly again, with the subscriptions at the new master',
      async (publish) => {
        const channel = unique();
        const [publisher, subscriber] = [engine(), engine()];
        const received = new ReceivedMessages();
        const handlers = { [channel]: received.handler };
        await (publish === 'publish' ? subscriber.subscribe(handlers) : subscriber.ssubscribe(handlers));
        await publisher.connect();
        const master = portOf(publisher.nodeOf(channel));
        const [replica] = await cluster.replicasOf({ port: master });
        const moved = Promise.all([once(publisher, 'moved'), once(subscriber, 'moved')]);

        await cluster.failover(replica!);
        await moved;

        await eventually(async () => {
          const count = await publisher[publish](channel, 'probe').catch(() => -1);
          return count === 1 && portOf(publisher.nodeOf(channel)) === replica!.port;
        }, 'the count is 1 at the new master');
        await publisher[publish](channel, 'after');
        await received.has(({ data }) => data === 'after');
      },
    );
  });

  describe('a demoted master', () => {
    it('is not trusted when it counts 0 subscribers, if the caller asks for certainty', async () => {
      const channel = unique();
      const received = new ReceivedMessages();
      const [subscriber, unaware] = [
        engine(),
        open({}, { nodes: cluster.nodes, clusterOptions: { slotsRefreshInterval: 600_000 } }),
      ];
      await subscriber.ssubscribe({ [channel]: received.handler });
      expect(await unaware.spublish(channel, 'before')).toBe(1);
      const master = portOf(unaware.nodeOf(channel));
      const [replica] = await cluster.replicasOf({ port: master });
      await cluster.failover(replica!);
      const numsubAt = async (port: number) =>
        ((await plain(port).call('PUBSUB', 'SHARDNUMSUB', channel)) as [string, number])[1];
      await eventually(
        async () => (await numsubAt(replica!.port)) === 1 && (await numsubAt(master)) === 0,
        'the subscriber has moved',
      );
      expect(await unaware.spublish(channel, 'after', { verifyZero: true })).toBe(1);
      expect(portOf(unaware.nodeOf(channel))).toBe(replica!.port);
      await received.has(({ data }) => data === 'after');
    });
  });

  describe('a master that is killed', () => {
    it('brings its subscriptions back when its replica has taken over; other channels never notice', async () => {
      const channels = uniques(30);
      const [publisher, subscriber] = [engine(), engine()];
      const received = new ReceivedMessages();
      await subscriber.subscribe(Object.fromEntries(channels.map((name) => [name, received.handler])));
      await subscriber.ssubscribe(channels);
      await subscriber.psubscribe('recovery:*');
      await Promise.all(channels.map((name) => publisher.publish(name, '')));
      const victim = publisher.nodeOf(channels[0]!)!;
      const ours = channels.filter((name) => publisher.nodeOf(name) === victim);
      const others = channels.filter((name) => publisher.nodeOf(name) !== victim);
      const recovered = gapsOf(subscriber, 2 * ours.length);

      await cluster.kill({ port: portOf(victim) });
      const toTheDead = publisher.publish(ours[0]!, '').catch((error: unknown) => error);
      expect(await Promise.all(others.map((name) => publisher.publish(name, '')))).toEqual(
        others.map(() => 1),
      );

      const gaps = await recovered;
      expect(namesOf(gaps, 'channel')).toEqual([...ours].sort());
      expect(namesOf(gaps, 'shard')).toEqual([...ours].sort());
      // It waited for the new master, or was given up; it does not hang.
      const outcome = await toTheDead;
      if (typeof outcome !== 'number') expect(outcome).toMatchObject({ code: 'PUBLISH_FAILED' });
      await eventually(async () => {
        const counts = await Promise.all(channels.map((name) => publisher.publish(name, '').catch(() => -1)));
        return counts.every((count) => count >= 1);
      }, 'every channel is counted again');
      expect(await Promise.all(channels.map((name) => publisher.spublish(name, '')))).toEqual(
        channels.map(() => 1),
      );
      await cluster.restart({ port: portOf(victim) });
    });
  });

  describe('a node that restarts', () => {
    it('gets its subscriptions back', async () => {
      const channels = uniques(12);
      const [publisher, subscriber] = [engine(), engine()];
      await subscriber.ssubscribe(channels);
      await publisher.connect();
      const node = publisher.nodeOf(channels[0]!)!;
      const ours = channels.filter((name) => publisher.nodeOf(name) === node);
      const recovered = gapsOf(subscriber, ours.length);
      await cluster.restart({ port: portOf(node) });
      expect(namesOf(await recovered, 'shard')).toEqual([...ours].sort());
      await eventually(async () => {
        const counts = await Promise.all(
          channels.map((name) => publisher.spublish(name, '').catch(() => -1)),
        );
        return counts.every((count) => count === 1);
      }, 'every channel is counted again');
    });
  });

  async function placeOf(pubsub: ClusterPubSub, channel: string) {
    await pubsub.connect();
    const source = { port: portOf(pubsub.nodeOf(channel)) };
    const slot = await plain(source.port).cluster('KEYSLOT', channel);
    const target = (await cluster.masters()).find(({ port }) => port !== source.port)!;
    return { slot, source, target };
  }
});

interface Story {
  readonly states: string[];
  readonly gaps: Gap[];
  readonly losses: Interruption[];
}

/** Keeps what an engine tells from now on. */
function recordOf(pubsub: ClusterPubSub): Story {
  const story: Story = { states: [], gaps: [], losses: [] };
  pubsub.on('status', (status) => story.states.push(status));
  pubsub.on('gap', (gap) => story.gaps.push(gap));
  pubsub.on('interrupted', (loss) => story.losses.push(loss));
  return story;
}

/** Resolves when gaps that name at least that many subscriptions have been reported. */
function gapsOf(pubsub: ClusterPubSub, names: number): Promise<Gap[]> {
  const gaps: Gap[] = [];
  return new Promise((resolve) => {
    pubsub.on('gap', (gap) => {
      gaps.push(gap);
      if (gaps.reduce((sum, one) => sum + one.names.length, 0) >= names) resolve(gaps);
    });
  });
}

function namesOf(events: readonly Pick<Gap, 'kind' | 'names'>[], kind: Gap['kind']): string[] {
  return [
    ...new Set(events.filter((event) => event.kind === kind).flatMap(({ names }) => names.map(String))),
  ].sort();
}

/** Publishes 0, 1, 2, … one after the other until it is stopped. */
function streamTo(publish: (data: string) => Promise<number>) {
  const results: (number | Error)[] = [];
  let stopped = false;
  let wake: (() => void) | undefined;
  const running = (async () => {
    while (!stopped) {
      results.push(await publish(String(results.length)).catch((error: unknown) => error as Error));
      wake?.();
      await new Promise((resolve) => setImmediate(resolve));
    }
  })();
  return {
    /** Resolves when that many more have been sent. */
    async sent(more: number): Promise<void> {
      const goal = results.length + more;
      while (results.length < goal) await new Promise<void>((resolve) => (wake = resolve));
    },
    async stop(): Promise<void> {
      stopped = true;
      await running;
    },
    get count(): number {
      return results.length;
    },
    get last(): string {
      return String(results.length - 1);
    },
    get failed(): Error[] {
      return results.filter((result) => result instanceof Error);
    },
    /** Those that were counted as received by so many. */
    counted: (count: number): string[] =>
      [...results.keys()].filter((index) => results[index] === count).map(String),
  };
}
