import { describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import { setImmediate } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { ClusterPubSub, type ClusterConnectionOptions } from '../../../../src/pubsub/index.js';
import { slotOf } from '../../../../src/pubsub/common/channel-name.js';
import { ClosedError, UnknownNodeError } from '../../../../src/pubsub/common/errors.js';
import { Closing } from '../../../support/closing.js';
import { ReceivedMessages } from '../../../support/messages.js';
import { unique } from '../../../support/names.js';
import { ownCluster } from '../../../support/own-cluster.js';
import { plainConnections } from '../../../support/plain-connections.js';
import { eventually } from '../../../support/waiting.js';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

/** Engines of one process with the same options, which share one link to the cluster. */
describe('engines that share a link', () => {
  const cluster = ownCluster({ masters: 3, replicas: 0 });
  const plain = plainConnections();
  const opened = new Closing();

  it('use one connection to publish and one to subscribe for each master', async () => {
    const { open, connections } = group();
    const [server, client, other] = [open(), open(), open()];
    for (const engine of [server, client, other]) {
      await engine.connect();
      await engine.ssubscribe(...onEachMaster(engine));
      for (const channel of onEachMaster(engine)) await engine.publish(channel, '');
    }
    expect(await connections()).toBe(6);
  });

  it('open no connection for what nobody subscribes to or publishes', async () => {
    const { open, connections } = group();
    await Promise.all([open().connect(), open().connect(), open().connect()]);
    expect(await connections()).toBe(1); // that found the cluster
  });

  it.each([
    ['subscribe', 'unsubscribe', 'publish'],
    ['ssubscribe', 'sunsubscribe', 'spublish'],
  ] as const)('are counted apart where they %s to one channel', async (subscribe, unsubscribe, publish) => {
    const { open } = group();
    const channel = unique();
    const [one, other] = [open(), open()];
    const [ones, others] = [new ReceivedMessages(), new ReceivedMessages()];
    await one[subscribe]({ [channel]: ones.handler });
    await other[subscribe]({ [channel]: others.handler });
    expect(await one[publish](channel, 'to both')).toBe(2);
    await Promise.all([ones.has(1), others.has(1)]);
    await one[unsubscribe]();
    expect(await one[publish](channel, 'to the other')).toBe(1);
    await others.has(2);
    expect(ones.data).toEqual(['to both']);
    await one[subscribe]({ [channel]: ones.handler });
    expect(await one[publish](channel, 'to both again')).toBe(2);
  });

  it('leave the subscriptions of one another alone when one is closed', async () => {
    const { open, connections } = group();
    const [stays, leaves] = [open(), open()];
    const received = new ReceivedMessages();
    const [kept, left] = [unique(), unique()];
    await stays.ssubscribe({ [kept]: received.handler });
    await leaves.ssubscribe(left);
    const changes: unknown[] = [];
    for (const event of ['status', 'interrupted', 'gap', 'error'] as const)
      stays.on(event, (change: unknown) => changes.push(change));
    await leaves.close();
    expect(await stays.spublish(left, '')).toBe(0);
    expect(await stays.spublish(kept, 'still here')).toBe(1);
    await received.has(1);
    expect(changes).toEqual([]);
    await stays.close();
    expect(await connections()).toBe(0);
  });

  it('do not wait for a node for which another waits', async () => {
    const { open } = group();
    const [one, other] = [open(), open()];
    await Promise.all([one.connect(), other.connect()]);
    const [own, others] = onEachMaster(one) as [string, string, string];
    await one.ssubscribe(own);
    await other.ssubscribe(others);
    const silent = cluster.nodes.find(({ host, port }) => `${host}:${port}` === one.nodeOf(others))!;
    await cluster.pause(silent);
    const late = other.ssubscribe(`${unique()}{${others}}`);
    await setImmediate(); // it is asked
    const before = performance.now();
    await one.sunsubscribe(own);
    expect(performance.now() - before).toBeLessThan(1_000);
    await cluster.resume(silent);
    await late;
  });

  it('leave no connection behind at a node whose slot has moved to another', async () => {
    const { open, subscriberConnections } = group();
    const [stays, leaves] = [open(), open()];
    const channel = unique();
    await Promise.all([stays.connect(), leaves.ssubscribe(channel)]);
    const from = leaves.nodeOf(channel)!;
    const to = cluster.nodes.find((node) => `${node.host}:${node.port}` !== from)!;
    await cluster.moveSlot(slotOf(channel), to);
    await eventually(async () => (await stays.spublish(channel, '')) === 1, 'subscribed at the new node');
    await eventually(async () => (await subscriberConnections()) === 1, 'the old connection is closed');
    await leaves.close();
    expect(await subscriberConnections()).toBe(0);
  });

  it('answer what one has published before it is closed', async () => {
    const { open } = group();
    const [stays, leaves] = [open(), open()];
    const channel = unique();
    await stays.ssubscribe(channel);
    await leaves.connect();
    const counts = Array.from({ length: 1_000 }, () => leaves.spublish(channel, ''));
    await counts[0];
    await leaves.close();
    expect(new Set(await Promise.all(counts))).toEqual(new Set([1]));
  });

  it('publish nothing once they are closed, though others still use the connection', async () => {
    const { open } = group();
    const [stays, leaves] = [open(), open()];
    const [received, channel] = [new ReceivedMessages(), unique()];
    await stays.subscribe({ [channel]: received.handler });
    expect(await stays.publish(channel, 'before')).toBe(1);
    await leaves.connect();
    const closed = leaves.close();
    await expect(leaves.publish(channel, 'too late')).rejects.toBeInstanceOf(ClosedError);
    await closed;
    expect(await stays.publish(channel, 'after')).toBe(1);
    await received.has(2);
    expect(received.data).toEqual(['before', 'after']);
  });

  it('are forgotten once they are closed, though others still use the connections', async () => {
    const { open, options } = group();
    const stays = open();
    await stays.connect();
    const channels = onEachMaster(stays);
    const use = async (): Promise<WeakRef<object>> => {
      const engine = new ClusterPubSub(options());
      for (const channel of channels) {
        await engine.subscribe(channel);
        await engine.publish(channel, '');
      }
      await engine.close();
      return new WeakRef(engine);
    };
    const used = [await use(), await use()];
    await eventually(() => {
      collectGarbage();
      return used.every((one) => one.deref() === undefined);
    }, 'nothing refers to them');
  });

  it('connect again after all that were connected have been closed', async () => {
    const { open, connections } = group();
    const [first, second] = [open(), open()];
    await first.ssubscribe(unique());
    await first.close();
    expect(await connections()).toBe(0);
    const channel = unique();
    await second.ssubscribe(channel);
    expect(await second.spublish(channel, '')).toBe(1);
  });

  it('fail apart: one that asks for a node that does not exist leaves the others connected', async () => {
    const { open, connections } = group();
    const lost = open({}, { node: '127.0.0.1:1' });
    await expect(lost.connect()).rejects.toThrow(UnknownNodeError);
    expect(await connections()).toBe(0);
    const good = open();
    await good.connect();
    await expect(lost.connect()).rejects.toThrow(UnknownNodeError);
    expect(await good.spublish(unique(), '')).toBe(0);
  });

  it('each report the gap in their own subscriptions when their connection is lost', async () => {
    const { open } = group();
    const [one, other] = [open(), open()];
    const channels = [unique(), unique()].map((name) => `${name}{tag}`);
    await one.ssubscribe(channels[0]!);
    await other.ssubscribe(channels[1]!);
    const gaps = [one, other].map((engine) => once(engine, 'gap'));
    await plain(one.nodeOf(channels[0]!)).call('CLIENT', 'KILL', 'TYPE', 'pubsub');
    const names = (await Promise.all(gaps)).map(([gap]) => (gap as { names: string[] }).names);
    expect(names).toEqual(channels.map((channel) => [channel]));
    expect([one.metrics().connectionsLost, other.metrics().connectionsLost]).toEqual([1, 1]);
  });

  it('each have their own limit of messages in flight', async () => {
    const { open } = group();
    const [greedy, modest] = [open({ maxQueuedMessages: 1 }), open({ maxQueuedMessages: 1 })];
    const channel = unique();
    await Promise.all([greedy.spublish(channel, ''), modest.spublish(channel, '')]);
    const results = await Promise.allSettled([
      greedy.spublish(channel, ''),
      greedy.spublish(channel, ''),
      modest.spublish(channel, ''),
    ]);
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(results[1]).toMatchObject({ reason: { code: 'QUEUE_FULL' } });
  });

  it('each tell how long their own handlers have blocked the event loop', async () => {
    const { open } = group();
    const [slow, quick] = [open(), open()];
    const [slowly, quickly] = [`${unique()}{tag}`, `${unique()}{tag}`];
    const received = new ReceivedMessages();
    await slow.ssubscribe({ [slowly]: () => block(60) });
    await quick.ssubscribe({ [quickly]: received.handler });
    const publisher = open({ shared: false });
    await publisher.connect();
    await Promise.all([slowly, quickly, slowly, quickly].map((channel) => publisher.spublish(channel, '')));
    await received.has(2);
    await eventually(() => slow.metrics().maxDispatchTime >= 60, 'the slow one is known');
    expect(quick.metrics().maxDispatchTime).toBeLessThan(60);
  });

  it.each<[string, Partial<ClusterConnectionOptions>]>([
    ['`shared: false`', { shared: false }],
    ['another limit of connections', { commandTimeout: 3_000 }],
    ['other options of ioredis', { clusterOptions: { redisOptions: { keepAlive: 5_000 } } }],
  ])('are not those with %s', async (_, options) => {
    const { open, connections } = group();
    const [channel, own, other] = [unique(), open(), open(options)];
    await own.ssubscribe(channel);
    const before = await connections();
    await other.ssubscribe(channel);
    expect((await connections()) - before).toBe(2);
  });

  /** Engines that share a link with one another, and with no other test. */
  function group() {
    const connectionName = unique();
    const options = (others: Partial<ClusterConnectionOptions> = {}): ClusterConnectionOptions => {
      const redisOptions = { ...others.clusterOptions?.redisOptions, connectionName };
      return { nodes: [...cluster.nodes], ...others, clusterOptions: { redisOptions } };
    };
    const list = async (): Promise<string[]> => {
      const lists = await Promise.all(cluster.nodes.map(({ port }) => plain(port).client('LIST')));
      const lines = lists.flatMap((text) => String(text).split('\n'));
      return lines.filter((line) => line.includes(`name=${connectionName} `));
    };
    return {
      connections: async (): Promise<number> => (await list()).length,
      subscriberConnections: async (): Promise<number> =>
        (await list()).filter((line) => /cmd=\w*subscribe /.test(line)).length,
      options,
      open: (others: Partial<ClusterConnectionOptions> = {}, own: { node?: string } = {}): ClusterPubSub =>
        opened.add(new ClusterPubSub(options(others), own)),
    };
  }

  /** A channel of each master. */
  function onEachMaster(engine: ClusterPubSub): string[] {
    const byNode = new Map<string, string>();
    while (byNode.size < 3) {
      const channel = unique();
      byNode.set(engine.nodeOf(channel)!, channel);
    }
    return [...byNode.values()];
  }
});

function block(ms: number): void {
  const until = performance.now() + ms;
  while (performance.now() < until);
}
