import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from '@jest/globals';
import type { Moved, PubSubMetrics } from '../../../../src/pubsub/index.js';
import { slotOf } from '../../../../src/pubsub/common/channel-name.js';
import { PREFIX_CODEC } from '../../../../src/pubsub/ordering/sequence-stamp.js';
import { engines } from '../../../support/engines.js';
import { ReceivedMessages } from '../../../support/messages.js';
import { unique, uniques } from '../../../support/names.js';
import { ownCluster } from '../../../support/own-cluster.js';
import { plainConnections } from '../../../support/plain-connections.js';
import { eventually, next } from '../../../support/waiting.js';

describe('metrics()', () => {
  const open = engines();
  const plain = plainConnections();
  const cluster = ownCluster({ masters: 3, replicas: 0 });

  const NOTHING: PubSubMetrics = {
    published: 0,
    publishErrors: 0,
    retransmitted: 0,
    migrationPauses: 0,
    received: 0,
    duplicates: 0,
    missed: 0,
    gaps: 0,
    dropped: 0,
    undecodable: 0,
    connectionsLost: 0,
    reconnects: 0,
    probes: 0,
    probesLost: 0,
    moves: 0,
    maxDispatchTime: 0,
    waiting: 0,
    desired: 0,
    confirmed: 0,
  };

  it('is nothing but zeros for a new one, and can be asked for in any state', async () => {
    const pubsub = open({}, { nodes: cluster.nodes });
    expect(pubsub.metrics()).toEqual(NOTHING);
    await pubsub.connect();
    expect(pubsub.metrics()).toEqual(NOTHING); // to find the cluster is no move
    await pubsub.close();
    expect(pubsub.metrics()).toEqual(NOTHING);
  });

  it('is a copy that later events do not change', async () => {
    const pubsub = open({}, { nodes: cluster.nodes });
    const before = pubsub.metrics();
    await pubsub.publish(unique(), '');
    expect(before.published).toBe(0);
    expect(pubsub.metrics().published).toBe(1);
  });

  it('counts what is published and what arrives, once for each subscription', async () => {
    const [subscriber, publisher] = [0, 1].map(() => open({}, { nodes: cluster.nodes }));
    const [channel, received] = [unique(), new ReceivedMessages()];
    await subscriber!.subscribe({ [channel]: received.handler });
    await subscriber!.psubscribe({ [`${channel}*`]: received.handler });
    await subscriber!.ssubscribe({ [channel]: received.handler });
    for (let i = 0; i < 5; i += 1) await publisher!.publish(channel, '');
    for (let i = 0; i < 3; i += 1) await publisher!.spublish(channel, '');
    await received.has(13);
    expect(publisher!.metrics()).toEqual({ ...NOTHING, published: 8 });
    expect(subscriber!.metrics()).toMatchObject({ received: 13, published: 0, duplicates: 0, gaps: 0 });
  });

  it('distinguishes desired subscriptions from confirmed ones', async () => {
    const pubsub = open({}, { nodes: cluster.nodes });
    const channels = uniques(10);
    await pubsub.connect();
    const subscribing = pubsub.ssubscribe(channels);
    await Promise.resolve();
    await Promise.resolve();
    expect(pubsub.metrics()).toMatchObject({ desired: 10, confirmed: 0 });
    await subscribing;
    expect(pubsub.metrics()).toMatchObject({ desired: 10, confirmed: 10 });
    await pubsub.sunsubscribe(channels.slice(0, 4));
    expect(pubsub.metrics()).toMatchObject({ desired: 6, confirmed: 6 });
  });

  it('counts second copies and what is missing', async () => {
    const [channel, received] = [unique(), new ReceivedMessages()];
    const pubsub = open({}, { nodes: cluster.nodes });
    await pubsub.ssubscribe({ [channel]: received.handler });
    const redis = plain(pubsub.nodeOf(channel));
    const gap = next(pubsub, 'gap');
    const stamped = [0, 0, 1, 4, 4, 9].map((number) =>
      PREFIX_CODEC.encode('', `somebody.0.${String(number)}`),
    );
    // In one write: what is missing within 50 ms is one gap.
    await Promise.all([...stamped, 'last'].map((payload) => redis.spublish(channel, payload as string)));
    await received.has(({ data }) => data === 'last');
    await gap;
    expect(pubsub.metrics()).toMatchObject({ received: 5, duplicates: 2, missed: 6, gaps: 1 });
  });

  it('counts what was not read in time', async () => {
    const channel = unique();
    const pubsub = open({ bufferLimit: 3, ignoreSubscribeMessages: true }, { nodes: cluster.nodes });
    const told = next(pubsub, 'gap');
    await pubsub.ssubscribe(channel);
    for (let i = 0; i < 10; i += 1) await pubsub.spublish(channel, '');
    await eventually(() => pubsub.metrics().received === 10, 'all have arrived');
    await told;
    expect(pubsub.metrics()).toMatchObject({ dropped: 7, published: 10 });
    expect(pubsub.dropped).toBe(7);
  });

  it('counts no confirmation as dropped: who has handlers alone need not read them', async () => {
    const pubsub = open({ bufferLimit: 3 }, { nodes: cluster.nodes });
    await pubsub.subscribe(Object.fromEntries(uniques(10).map((name) => [name, () => undefined])));
    expect(pubsub.metrics()).toMatchObject({ confirmed: 10, dropped: 0, gaps: 0 });
  });

  it('counts connections that were lost, and the gaps that this made', async () => {
    const channels = uniques(40);
    const pubsub = open({}, { nodes: cluster.nodes });
    await pubsub.ssubscribe(channels);
    await pubsub.subscribe(channels);
    const told: string[] = [];
    pubsub.on('gap', ({ kind }) => told.push(kind));
    await plain(pubsub.nodeOf(channels[0]!)).client('KILL', 'TYPE', 'PUBSUB');
    await eventually(() => told.length >= 2, 'both kinds have their gap');
    expect(told.sort()).toEqual(['channel', 'shard']);
    expect(pubsub.metrics()).toMatchObject({
      connectionsLost: 1,
      reconnects: 1,
      gaps: 2,
      desired: 80,
      confirmed: 80,
    });
  });

  it('counts no recovery of subscriptions that were removed in the meantime', async () => {
    const channel = unique();
    const pubsub = open({}, { nodes: cluster.nodes, probeInterval: 100, probeTimeout: 100 });
    await pubsub.ssubscribe(channel);
    const node = cluster.nodes.find(({ host, port }) => `${host}:${port}` === pubsub.nodeOf(channel))!;
    const lost = next(pubsub, 'interrupted');
    await cluster.pause(node);
    try {
      await lost;
      await pubsub.sunsubscribe(channel);
      expect(pubsub.metrics()).toMatchObject({ desired: 0, reconnects: 0, gaps: 0 });
    } finally {
      await cluster.resume(node);
    }
  });

  it('counts publishes that failed', async () => {
    const channel = unique();
    const pubsub = open({}, { nodes: cluster.nodes, maxQueuedMessages: 5 });
    await pubsub.publish(channel, '');
    const results = await Promise.allSettled(Array.from({ length: 10 }, () => pubsub.publish(channel, '')));
    const rejected = results.filter(({ status }) => status === 'rejected').length;
    expect(rejected).toBeGreaterThanOrEqual(5);
    expect(pubsub.metrics()).toMatchObject({ published: 11, publishErrors: rejected, waiting: 0 });
  });

  it('counts what waited for a move, and what was sent again, at the publisher', async () => {
    const [channel, received] = [unique(), new ReceivedMessages()];
    const slot = slotOf(channel);
    const subscriber = open({}, { nodes: cluster.nodes });
    const publisher = open({ sequence: true }, { nodes: cluster.nodes });
    await subscriber.ssubscribe({ [channel]: received.handler });
    await publisher.spublish(channel, '0');
    const moved = Promise.all([next(publisher, 'moved'), next(subscriber, 'moved')]);
    let number = 1;
    const traffic = setInterval(() => void publisher.spublish(channel, String(number++)), 2);
    const owner = await cluster.ownerOf(slot);
    await cluster.moveSlot(
      slot,
      (await cluster.masters()).find(({ port }) => port !== owner.port)!,
    );
    await moved;
    await eventually(() => publisher.metrics().migrationPauses > 0, 'messages have waited');
    clearInterval(traffic);
    await publisher.spublish(channel, 'last');
    await received.has(({ data }) => data === 'last');
    expect(publisher.metrics()).toMatchObject({ published: number + 1, publishErrors: 0, waiting: 0 });
    expect(publisher.metrics().retransmitted).toBeGreaterThan(0); // MOVED
    expect(subscriber.metrics()).toMatchObject({ received: number + 1, missed: 0, gaps: 0 });
    await cluster.moveSlot(slot, owner);
  });

  it('counts each move once, and nothing else as one', async () => {
    // The first slots go to the last master: in CLUSTER SLOTS it stands in another place from then on.
    const channel = `${unique()}:{${tagBelow(1_000)}}`;
    const slot = slotOf(channel);
    const pubsub = open({}, { nodes: cluster.nodes });
    const moves: Moved[] = [];
    pubsub.on('moved', (move) => moves.push(move));
    await pubsub.ssubscribe(channel);
    const traffic = setInterval(() => void pubsub.spublish(channel, '').catch(() => undefined), 2);
    const owner = await cluster.ownerOf(slot);
    const last = await cluster.ownerOf(16_383);
    for (const target of [last, owner, last, owner]) {
      const moved = next(pubsub, 'moved');
      await cluster.moveSlot(slot, target);
      await moved;
      await eventually(() => pubsub.nodeOf(channel) === `127.0.0.1:${String(target.port)}`, 'it is known');
    }
    clearInterval(traffic);
    expect(moves.map(({ slots }) => slots)).toEqual([1, 1, 1, 1]);
    expect(pubsub.metrics().moves).toBe(4);
  });

  it('counts probes, and those that did not come back', async () => {
    const channel = unique();
    const pubsub = open({}, { nodes: cluster.nodes, probeInterval: 50, probeTimeout: 200 });
    await pubsub.ssubscribe(channel);
    await eventually(() => pubsub.metrics().probes >= 3, 'three probes');
    expect(pubsub.metrics()).toMatchObject({ probesLost: 0, connectionsLost: 0, received: 0 });
    const owner = await cluster.ownerOf(slotOf(channel));
    const lost = next(pubsub, 'interrupted');
    await cluster.pause(owner);
    await lost;
    await cluster.resume(owner);
    expect(pubsub.metrics()).toMatchObject({ probesLost: 1, connectionsLost: 1 });
  });

  it('does not count probes that fail among what the application could not publish', async () => {
    const channel = unique();
    const options = { probeInterval: 50, probeTimeout: 5_000, commandTimeout: 200 };
    const pubsub = open({}, { nodes: cluster.nodes, ...options });
    const failed: unknown[] = [];
    const note = (message: unknown): void => {
      if ((message as { pubsub: unknown }).pubsub === pubsub) failed.push(message);
    };
    subscribe('nestjs-cluster-pubsub:publish-failed', note);
    await pubsub.ssubscribe(channel);
    await eventually(() => pubsub.metrics().probes >= 3, 'probes come and go');
    const owner = await cluster.ownerOf(slotOf(channel));
    await cluster.pause(owner);
    await sleep(3 * options.commandTimeout);
    await cluster.resume(owner);
    unsubscribe('nestjs-cluster-pubsub:publish-failed', note);
    expect(pubsub.metrics()).toMatchObject({ published: 0, publishErrors: 0 });
    expect(failed).toEqual([]);
  });

  it('does not count probes among what the application has published', async () => {
    const pubsub = open({}, { nodes: cluster.nodes, probeInterval: 50 });
    await pubsub.ssubscribe(unique());
    await eventually(() => pubsub.metrics().probes >= 3, 'three probes');
    expect(pubsub.metrics().published).toBe(0);
  });
});

function tagBelow(slot: number): string {
  for (let tag = 0; ; tag += 1) {
    if (slotOf(String(tag)) < slot) return String(tag);
  }
}
