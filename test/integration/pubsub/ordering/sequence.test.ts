import { describe, expect, it } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import type { ClusterPubSub, Gap, PubSubEncoding } from '../../../../src/pubsub/index.js';
import { PREFIX_CODEC } from '../../../../src/pubsub/ordering/sequence-stamp.js';
import { engines } from '../../../support/engines.js';
import { ReceivedMessages } from '../../../support/messages.js';
import { unique } from '../../../support/names.js';
import { ownCluster } from '../../../support/own-cluster.js';
import { plainConnections, portOf } from '../../../support/plain-connections.js';
import { eventually, next } from '../../../support/waiting.js';

describe('numbered messages', () => {
  const open = engines();
  const plain = plainConnections();

  /** Publishes at the channel's master as another program would: the text, stamped or not. */
  const foreign = async (pubsub: ClusterPubSub<PubSubEncoding>, channel: string) => {
    await pubsub.connect();
    const redis = plain(pubsub.nodeOf(channel));
    const publisher = randomBytes(6).toString('base64url');
    return (text: string, number?: number) => {
      const payload =
        number === undefined ? text : PREFIX_CODEC.encode(text, `${publisher}.0.${number.toString(36)}`);
      return redis.call('SPUBLISH', channel, payload as string);
    };
  };

  const heard = async (channel: string) => {
    const pubsub = open();
    const [received, gaps]: [ReceivedMessages, Gap[]] = [new ReceivedMessages(), []];
    pubsub.on('gap', (gap) => gaps.push(gap));
    await pubsub.ssubscribe({ [channel]: received.handler });
    return { pubsub, received, gaps };
  };

  describe('of which one is missing', () => {
    it('show that it is, and how many, though no connection broke', async () => {
      const channel = unique();
      const { pubsub, received, gaps } = await heard(channel);
      const publish = await foreign(pubsub, channel);
      const told = next(pubsub, 'gap');
      for (const number of [0, 1, 5, 6]) await publish(`message ${String(number)}`, number);
      await received.has(4);
      await told;

      expect(received.data).toEqual(['message 0', 'message 1', 'message 5', 'message 6']);
      expect(gaps).toEqual([
        {
          kind: 'shard',
          names: [channel],
          node: pubsub.nodeOf(channel),
          since: expect.any(Date),
          until: expect.any(Date),
          missed: 3,
          reason: 'sequence',
        },
      ]);
      expect(gaps[0]!.since.getTime()).toBeLessThanOrEqual(gaps[0]!.until.getTime());
      expect(pubsub.metrics()).toMatchObject({ received: 4, missed: 3, gaps: 1, duplicates: 0 });
    });

    it('would not show it without their numbers', async () => {
      const channel = unique();
      const { pubsub, received, gaps } = await heard(channel);
      const publish = await foreign(pubsub, channel);
      for (const number of [0, 1, 5, 6]) await publish(`message ${String(number)}`);
      await received.has(4);

      expect(received.data).toEqual(['message 0', 'message 1', 'message 5', 'message 6']);
      expect(gaps).toEqual([]);
      expect(pubsub.metrics()).toMatchObject({ received: 4, missed: 0, gaps: 0 });
    });

    it('are not confused by another publisher, nor by one that began long ago', async () => {
      const channel = unique();
      const { pubsub, received, gaps } = await heard(channel);
      const [one, other] = [await foreign(pubsub, channel), await foreign(pubsub, channel)];
      for (const number of [0, 1, 2, 3]) {
        await one(`one ${String(number)}`, number);
        await other(`other ${String(number)}`, 1_000 + number);
      }
      await received.has(8);
      expect(gaps).toEqual([]);
    });
  });

  it('that come again are handed out once', async () => {
    const channel = unique();
    const { pubsub, received, gaps } = await heard(channel);
    const publish = await foreign(pubsub, channel);
    for (const number of [0, 1, 1, 0, 2, 2, 3]) await publish(String(number), number);
    await received.has(({ data }) => data === '3');
    expect(received.data).toEqual(['0', '1', '2', '3']);
    expect(pubsub.metrics()).toMatchObject({ duplicates: 3, missed: 0 });
    expect(gaps).toEqual([]);
  });

  it('that are equal are all handed out, without their numbers as well as with them', async () => {
    const channel = unique();
    const { pubsub, received } = await heard(channel);
    const publish = await foreign(pubsub, channel);
    for (const number of [0, 1, undefined, undefined]) await publish('same', number);
    await received.has(4);
    expect(received.data).toEqual(['same', 'same', 'same', 'same']);
    expect(pubsub.metrics().duplicates).toBe(0);
  });

  describe('between two engines', () => {
    const everyByte = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));

    it.each([
      ['a text', 'hello'],
      ['a text of many scripts', 'Zoë · 東京 · 🦊'],
      ['nothing', ''],
      ['what looks like a stamp', '\x01cps\x05a.0.0'],
      ['a lone surrogate', 'x\ud800y'],
    ])('bring %s as it is', async (_what, text) => {
      const channel = unique();
      const received = new ReceivedMessages();
      await open().ssubscribe({ [channel]: received.handler });
      expect(await open({ sequence: true }).spublish(channel, text)).toBe(1);
      await received.has(1);
      expect(received.data).toEqual([Buffer.from(text).toString()]);
    });

    it.each([
      ['every byte', everyByte],
      ['no byte', Buffer.alloc(0)],
      ['a megabyte', randomBytes(1_048_576)],
    ])('bring %s as it is', async (_what, bytes) => {
      const channel = unique();
      const received = new ReceivedMessages<'buffer'>();
      await open({ encoding: 'buffer' }).subscribe({ [channel]: received.handler });
      expect(await open({ sequence: true }).publish(channel, bytes)).toBe(1);
      await received.has(1);
      expect(received.data[0]!.equals(bytes)).toBe(true);
    });

    it('are handed to `listen()` without their stamp', async () => {
      const channel = unique();
      const subscriber = open({ ignoreSubscribeMessages: true });
      await subscriber.ssubscribe(channel);
      await open({ sequence: true }).spublish(channel, 'plain');
      expect(await subscriber.getMessage({ timeout: null })).toMatchObject({ data: 'plain' });
    });

    it('can be mixed with others, message by message', async () => {
      const channel = unique();
      const { received, gaps } = await heard(channel);
      const publisher = open({ sequence: true });
      await publisher.connect();
      const raw = await foreign(publisher, channel);
      for (let number = 0; number < 10; number += 1) {
        await publisher.spublish(channel, `numbered ${String(number)}`);
        await raw(`raw ${String(number)}`);
      }
      await received.has(20);
      expect(gaps).toEqual([]);
    });
  });

  it('are stamped with publisher, epoch and number, by default not at all', async () => {
    const channel = unique();
    const numbered = open({ sequence: true });
    await numbered.connect();
    const redis = plain(numbered.nodeOf(channel));
    const seen: Buffer[] = [];
    const enough = new Promise<void>((resolve) => {
      redis.on('smessageBuffer', (_channel: Buffer, data: Buffer) => {
        if (seen.push(data) === 3) resolve();
      });
    });
    await redis.ssubscribe(channel);
    await numbered.spublish(channel, 'a');
    await numbered.spublish(channel, 'b');
    await open().spublish(channel, 'c');
    await enough;
    const [a, b] = seen.map((data) => PREFIX_CODEC.decode(data));
    expect(a).toMatchObject({ seq: 0, data: Buffer.from('a') });
    expect(b).toMatchObject({ seq: 1, data: Buffer.from('b'), stream: a!.stream });
    expect(a!.stream).toMatch(/^[\w-]{8}\.[0-9a-z]+$/);
    expect(seen[2]!.toString()).toBe('c');
  });
});

describe('messages in flight when the connection of their publisher is killed', () => {
  const open = engines();
  const plain = plainConnections();
  const cluster = ownCluster({ masters: 3, replicas: 0 });

  /** Publishes 20,000 messages without waiting, and kills the publisher's connections four times meanwhile. */
  async function publishUnderFire(publisher: ClusterPubSub, channel: string) {
    const redis = plain(portOf(publisher.nodeOf(channel)));
    const outcomes: Promise<number | Error>[] = [];
    for (let round = 1; round <= 40; round += 1) {
      for (let i = 0; i < 500; i += 1) {
        const text = String(outcomes.length);
        outcomes.push(publisher.spublish(channel, text).catch((error: unknown) => error as Error));
      }
      if (round % 10 === 5) {
        // Nobody, if all of them are still on their way back from the last time.
        await eventually(
          async () => Number(await redis.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')) > 0,
          'somebody is killed',
        );
      }
      await new Promise((resolve) => setImmediate(resolve));
    }
    return Promise.all(outcomes);
  }

  const prepare = async (sequence: boolean) => {
    const channel = unique();
    const [subscriber, publisher] = [true, false].map(() =>
      open({ sequence }, { nodes: cluster.nodes, maxQueuedMessages: 50_000 }),
    ) as [ClusterPubSub, ClusterPubSub];
    const [received, gaps]: [ReceivedMessages, Gap[]] = [new ReceivedMessages(), []];
    subscriber.on('gap', (gap) => gaps.push(gap));
    await subscriber.ssubscribe({ [channel]: received.handler });
    await publisher.spublish(channel, 'first');
    await received.has(1);
    received.messages.length = 0;
    return { channel, publisher, subscriber, received, gaps };
  };

  it('all arrive, once and in order, if they are numbered', async () => {
    const { channel, publisher, subscriber, received, gaps } = await prepare(true);
    const outcomes = await publishUnderFire(publisher, channel);
    await received.has(outcomes.length);

    expect(outcomes.filter((outcome) => outcome !== 1)).toEqual([]);
    expect(publisher.metrics().retransmitted).toBeGreaterThan(0);
    expect(firstOutOfPlace(received.data)).toBeUndefined();
    expect(received.data).toHaveLength(outcomes.length);
    expect(subscriber.metrics().missed).toBe(0);
    expect(gaps).toEqual([]);
  });

  it('each arrive or fail as unknown, if they are not', async () => {
    const { channel, publisher, received } = await prepare(false);
    const outcomes = await publishUnderFire(publisher, channel);
    await publisher.spublish(channel, 'last');
    await received.has(({ data }) => data === 'last');

    const arrived = new Set(received.data);
    const unexplained = outcomes.filter((outcome, number) =>
      outcome instanceof Error
        ? (outcome as { outcome?: string }).outcome !== 'unknown'
        : outcome !== 1 || !arrived.has(String(number)),
    );
    expect(unexplained).toEqual([]);
    expect(outcomes.some((outcome) => outcome instanceof Error)).toBe(true);
    expect(received.data).toHaveLength(arrived.size); // nothing twice
    expect(publisher.metrics().retransmitted).toBe(0);
  });
});

/** The first that is not the number of its place. */
function firstOutOfPlace(data: readonly string[]): string | undefined {
  return data.find((text, place) => text !== String(place));
}
