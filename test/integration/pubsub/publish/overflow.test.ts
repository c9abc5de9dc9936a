import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { slotOf } from '../../../../src/pubsub/common/channel-name.js';
import { ClusterPubSub, type Gap, type OverflowPolicy } from '../../../../src/pubsub/index.js';
import { TcpProxy } from '../../../chaos/tcp-proxy.js';
import { engines } from '../../../support/engines.js';
import { ReceivedMessages } from '../../../support/messages.js';
import { unique, uniques } from '../../../support/names.js';
import { ownCluster } from '../../../support/own-cluster.js';
import { plainConnections } from '../../../support/plain-connections.js';
import { sharedCluster } from '../../../support/shared-cluster.js';
import { eventually, next } from '../../../support/waiting.js';

const LIMIT = 100;

describe('messages for a shard that cannot be reached', () => {
  const open = engines();
  const proxies = new Map<string, TcpProxy>();
  const cluster = ownCluster({ masters: 3, replicas: 0, nodeTimeout: 60_000 });

  beforeAll(async () => {
    for (const node of cluster.nodes) {
      proxies.set(`${node.host}:${String(node.port)}`, await TcpProxy.to(node));
    }
  });

  afterEach(() => {
    for (const proxy of proxies.values()) proxy.thaw();
  });

  afterAll(async () => {
    await Promise.all([...proxies.values()].map((proxy) => proxy.close()));
  });

  /** A publisher whose way to the shard of `channel` is gone, and a subscriber whose way is not. */
  async function cutOff(onOverflow?: OverflowPolicy) {
    const [channel, received] = [unique(), new ReceivedMessages()];
    const subscriber = open({}, { nodes: cluster.nodes });
    await subscriber.ssubscribe({ [channel]: received.handler });
    const natMap = Object.fromEntries(
      [...proxies].map(([node, { port }]) => [node, { host: '127.0.0.1', port }]),
    );
    const publisher = open(
      {},
      {
        nodes: Object.values(natMap),
        clusterOptions: { natMap },
        // Not even a busy machine takes longer; what waits shall not give up here.
        commandTimeout: 20_000,
        maxQueuedMessages: LIMIT,
        onOverflow,
      },
    );
    await publisher.spublish(channel, 'before');
    await received.has(1);
    received.messages.length = 0;
    const proxy = proxies.get(subscriber.nodeOf(channel)!)!;
    proxy.freeze();
    proxy.cut();
    // The first that finds the connection gone waits; one that was written before that is in doubt, and fails.
    let waiting: Promise<number> | undefined;
    await eventually(async () => {
      waiting = publisher.spublish(channel, '0');
      waiting.catch(() => undefined);
      await new Promise((resolve) => setImmediate(resolve));
      return publisher.metrics().waiting === 1;
    }, 'a message waits');
    const results = [
      waiting!,
      ...numbers(1, LIMIT * 1.5 - 1).map((data) => publisher.spublish(channel, data)),
    ];
    const outcomes = Promise.all(
      results.map((result) => result.catch((error: unknown) => (error as { code: string }).code)),
    );
    return { channel, publisher, subscriber, received, proxy, outcomes };
  }

  it.each([
    ['fail as soon as too many wait, the newest first', undefined, [0, LIMIT]],
    ['fail as soon as too many wait, the newest first, with `reject`', 'reject', [0, LIMIT]],
    [
      'fail as soon as too many wait, the oldest first, with `drop-oldest`',
      'drop-oldest',
      [LIMIT / 2, LIMIT * 1.5],
    ],
  ] as const)('%s; the rest arrive in order when it can be', async (_what, onOverflow, [first, end]) => {
    const { publisher, received, proxy, outcomes } = await cutOff(onOverflow);
    expect(publisher.metrics().waiting).toBe(LIMIT);
    proxy.thaw();

    expect(await outcomes).toEqual(
      numbers(0, LIMIT * 1.5 - 1).map((number) =>
        Number(number) >= first && Number(number) < end ? 1 : 'QUEUE_FULL',
      ),
    );
    await received.has(LIMIT);
    expect(received.data).toEqual(numbers(first, end - 1));
    expect(publisher.metrics().waiting).toBe(0);
  });

  it('are not refused on their way out because the node is asked something else too', async () => {
    const { channel, publisher, proxy, outcomes } = await cutOff();
    let asked = 0;
    const asking = setInterval(() => {
      asked += 1;
      publisher.pubsubNumsub(channel).catch(() => undefined);
    }, 20);
    // Later than the queue has asked for a connection, and before it asks again.
    await eventually(() => asked >= 40, 'many questions wait as well');
    clearInterval(asking);
    proxy.thaw();
    expect((await outcomes).filter((outcome) => outcome === 1)).toHaveLength(LIMIT);
  });

  it('fail at once, not when their time is over, if too many wait', async () => {
    const { publisher, channel } = await cutOff();
    const outcome = await publisher.spublish(channel, '').catch((error: unknown) => error);
    expect(outcome).toMatchObject({ code: 'QUEUE_FULL', name: 'QueueFullError' });
    expect((outcome as Error).message).toContain(String(LIMIT));
  });

  it('do not keep those for other shards', async () => {
    const { publisher, subscriber, channel } = await cutOff();
    const others = uniques(60).filter((name) => publisher.nodeOf(name) !== publisher.nodeOf(channel));
    await subscriber.ssubscribe(others);
    const counts = await Promise.all(others.map((name) => publisher.spublish(name, '')));
    expect(counts).toEqual(others.map(() => 1));
    expect(publisher.metrics().waiting).toBe(LIMIT);
  });
});

describe('messages that wait for subscribers to follow a slot', () => {
  const open = engines();
  const plain = plainConnections();
  const cluster = ownCluster({ masters: 3, replicas: 0 });

  /** Publishes far more than may wait, to a slot that has just moved, while one of two subscribers does not follow. */
  async function overfill(onOverflow: OverflowPolicy) {
    const [channel, received, gaps] = [unique(), new ReceivedMessages(), [] as Gap[]];
    const subscriber = open({}, { nodes: cluster.nodes });
    subscriber.on('gap', (gap) => gaps.push(gap));
    await subscriber.ssubscribe({ [channel]: received.handler });
    await plain(subscriber.nodeOf(channel)).ssubscribe(channel);
    const publisher = open(
      { sequence: true },
      {
        nodes: cluster.nodes,
        maxQueuedMessages: LIMIT,
        onOverflow,
        slotMigrationTimeout: 1_000,
        // It learns of the move from the answer to a message, which has its number by then.
        clusterOptions: { slotsRefreshInterval: 600_000 },
      },
    );
    expect(await publisher.spublish(channel, 'before')).toBe(2);
    const owner = await cluster.ownerOf(slotOf(channel));
    const target = (await cluster.masters()).find(({ port }) => port !== owner.port)!;
    const moved = next(subscriber, 'moved');
    await cluster.moveSlot(slotOf(channel), target);
    await moved;
    await eventually(async () => {
      const counts = await subscriber.pubsubShardNumsub(channel);
      return counts.get(channel) === 1;
    }, 'the subscriber has followed');
    const first = publisher.spublish(channel, '0');
    const watched = first.catch((error: unknown) => (error as { code: string }).code);
    await eventually(() => publisher.metrics().waiting === 1, 'it waits');
    const outcomes = [
      watched,
      ...numbers(1, LIMIT * 1.5 - 1).map((data) =>
        publisher.spublish(channel, data).catch((error: unknown) => (error as { code: string }).code),
      ),
    ];
    const settled = await Promise.all(outcomes);
    await publisher.spublish(channel, 'after');
    await received.has(({ data }) => data === 'after');
    return { publisher, subscriber, settled, gaps, data: received.data.slice(1, -1) };
  }

  describe.each([
    ['reject', 0, LIMIT],
    ['drop-oldest', LIMIT / 2, LIMIT * 1.5],
  ] as const)('and are too many, with `%s`', (onOverflow, first, end) => {
    let story: Awaited<ReturnType<typeof overfill>>;

    beforeAll(async () => {
      story = await overfill(onOverflow);
    });

    it('fail by that rule; the rest arrive in order', () => {
      expect(story.settled).toEqual(
        numbers(0, LIMIT * 1.5 - 1).map((number) =>
          Number(number) >= first && Number(number) < end ? 1 : 'QUEUE_FULL',
        ),
      );
      expect(story.data).toEqual(numbers(first, end - 1));
    });

    it('are counted as failed', () => {
      expect(story.publisher.metrics().publishErrors).toBe(LIMIT / 2);
    });

    it('leave no gap for receivers, because their publisher got an error', () => {
      expect(story.gaps).toEqual([]);
    });
  });
});

describe('an option out of range', () => {
  it.each([
    ['maxQueuedMessages', 0],
    ['maxQueuedMessages', -1],
    ['maxQueuedMessages', Infinity],
    ['maxQueuedMessages', '100'],
    ['probeInterval', -1],
    ['probeInterval', NaN],
    ['probeTimeout', 0],
    ['probeTimeout', 2 ** 31],
    ['slotMigrationTimeout', -1],
    ['slotMigrationTimeout', 2 ** 31],
    ['onOverflow', 'drop-newest'],
    ['onOverflow', null],
    ['onOverflow', true],
  ])('%s: %p is refused, and named', (name, value) => {
    const make = () => new ClusterPubSub({ nodes: sharedCluster(), [name]: value });
    expect(make).toThrow(
      expect.objectContaining({ code: 'INVALID_ARGUMENT', message: expect.stringContaining(name) }),
    );
  });

  it.each(['probeInterval', 'slotMigrationTimeout'])('%s: 0 turns it off, and is none', async (name) => {
    const pubsub = new ClusterPubSub({ nodes: sharedCluster(), [name]: 0 });
    await pubsub.close();
  });
});

function numbers(from: number, to: number): string[] {
  return Array.from({ length: to - from + 1 }, (_, index) => String(from + index));
}
