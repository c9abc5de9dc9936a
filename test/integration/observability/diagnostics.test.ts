import { AsyncLocalStorage } from 'node:async_hooks';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { afterEach, describe, expect, it } from '@jest/globals';
import { firstValueFrom, interval, lastValueFrom, map, take } from 'rxjs';
import { slotOf } from '../../../src/pubsub/common/channel-name.js';
import { ClusterPubSub } from '../../../src/pubsub/index.js';
import { ClusterPubSubContext, type ClusterPubSubDiagnostics } from '../../../src/transport/index.js';
import { engines } from '../../support/engines.js';
import { unique } from '../../support/names.js';
import { ownCluster } from '../../support/own-cluster.js';
import { plainConnections } from '../../support/plain-connections.js';
import { addHandlers, listen, outcome, transports } from '../../support/transports.js';
import { eventually, next } from '../../support/waiting.js';

const cluster = ownCluster({ masters: 3, replicas: 0 });
const harness = transports(cluster);
const stops: (() => void)[] = [];

afterEach(() => stops.splice(0).forEach((stop) => stop()));

/** What is told on a channel from now on. */
function told<Name extends keyof ClusterPubSubDiagnostics>(name: Name): ClusterPubSubDiagnostics[Name][] {
  const messages: ClusterPubSubDiagnostics[Name][] = [];
  const listener = (message: unknown): void => {
    messages.push(message as ClusterPubSubDiagnostics[Name]);
  };
  subscribe(name, listener);
  stops.push(() => unsubscribe(name, listener));
  return messages;
}

describe('the diagnostics channels of an engine', () => {
  const open = engines();
  const plain = plainConnections();
  const engine = () => open({}, { nodes: cluster.nodes });

  it('report status, interruptions and gaps, with the data of the events', async () => {
    const [statuses, losses, gaps] = [
      told('nestjs-cluster-pubsub:status'),
      told('nestjs-cluster-pubsub:interrupted'),
      told('nestjs-cluster-pubsub:gap'),
    ];
    const pubsub = engine();
    const channel = unique();
    await pubsub.subscribe(channel);
    const event = next(pubsub, 'gap');
    await plain(pubsub.nodeOf(channel)).client('KILL', 'TYPE', 'PUBSUB');
    const gap = await event;
    await pubsub.close();
    expect(statuses.map(({ status }) => status)).toEqual([
      'connecting',
      'connected',
      'reconnecting',
      'connected',
      'closed',
    ]);
    expect(losses.map(({ interrupted }) => interrupted.names)).toEqual([[channel]]);
    expect(gaps).toEqual([{ pubsub, gap }]);
    expect(gaps[0]!.pubsub).toBe(pubsub);
  });

  it('report where slots have moved', async () => {
    const moves = told('nestjs-cluster-pubsub:moved');
    const pubsub = engine();
    const channel = unique();
    await pubsub.subscribe(channel);
    const slot = slotOf(channel);
    const owner = await cluster.ownerOf(slot);
    const target = (await cluster.masters()).find(({ port }) => port !== owner.port)!;
    await cluster.moveSlot(slot, target);
    await eventually(() => moves.length > 0, 'the move is told');
    expect(moves[0]!.moved.changes).toEqual([
      {
        from: `127.0.0.1:${String(owner.port)}`,
        to: `127.0.0.1:${String(target.port)}`,
        ranges: [[slot, slot]],
      },
    ]);
  });

  it('report a failed publish, whether its node refused it or there is no cluster at all', async () => {
    const failures = told('nestjs-cluster-pubsub:publish-failed');
    const channel = unique();
    const full = open({}, { nodes: cluster.nodes, maxQueuedMessages: 1 });
    await full.publish(channel, 'first');
    const results = await Promise.allSettled([full.publish(channel, '1'), full.publish(channel, '2')]);
    const { reason } = results.find((result) => result.status === 'rejected')!;
    expect(failures).toEqual([{ pubsub: full, command: 'PUBLISH', channel, error: reason }]);
    expect(reason).toMatchObject({ code: 'QUEUE_FULL' });

    const nowhere = open({}, { nodes: [{ port: 1 }], connectTimeout: 100 });
    await expect(nowhere.spublish(channel, '')).rejects.toMatchObject({ code: 'CLUSTER_UNREACHABLE' });
    expect(failures[1]).toMatchObject({ pubsub: nowhere, command: 'SPUBLISH', channel });
    expect(nowhere.metrics()).toMatchObject({ published: 1, publishErrors: 1 });
  });

  it('report errors although the event has no listener', async () => {
    const errors = told('nestjs-cluster-pubsub:error');
    const pubsub = engine();
    const channel = unique();
    await pubsub.subscribe({
      [channel]: () => {
        throw new Error('a broken handler');
      },
    });
    await pubsub.publish(channel, '');
    await eventually(() => errors.length > 0, 'the error is told');
    expect(errors[0]).toMatchObject({ error: { code: 'HANDLER_FAILED' } });
    pubsub.on('error', () => undefined);
    await pubsub.publish(channel, '');
    await eventually(() => errors.length > 1, 'with a listener it is told as well');
  });
});

describe('the diagnostics channels of the transport', () => {
  it('report how each request ended, how long it took, and its packet', async () => {
    await harness.server({
      ask: () => 1,
      fail: () => {
        throw new Error('a broken handler');
      },
      count: () => interval(1),
    });
    const client = harness.client();
    const requests = told('nestjs-cluster-pubsub:request');
    const seen: unknown[] = [];
    client.setOnDispatchHook((packet) => void seen.push(packet));
    await lastValueFrom(client.send('ask', 1));
    await outcome(client.send({ cmd: 'nobody' }, 1));
    await outcome(client.send('fail', 1));
    await firstValueFrom(client.send('count', 1).pipe(take(1)));
    expect(requests.map(({ pattern, outcome }) => `${pattern} ${outcome}`)).toEqual([
      'ask answered',
      '{"cmd":"nobody"} failed',
      'fail failed',
      'count cancelled',
    ]);
    expect(requests.map(({ packet }) => packet)).toEqual(seen);
    requests.forEach(({ packet }, at) => expect(packet).toBe(seen[at]));
    expect(requests.map((request) => request.client)).toEqual([client, client, client, client]);
    expect(requests[1]!.error).toMatchObject({ code: 'NO_SUBSCRIBERS' });
    for (const { duration } of requests) expect(duration).toBeGreaterThan(0);
  });

  it('deliver each reply in the async context of its requester, while requests are watched', async () => {
    await harness.server({ ask: () => 1 });
    const client = harness.client();
    const storage = new AsyncLocalStorage<string>();
    const seen: (string | undefined)[] = [];
    told('nestjs-cluster-pubsub:request');
    for (const name of ['the one that connects', 'another']) {
      const answer = client.send('ask', 1).pipe(map(() => seen.push(storage.getStore())));
      await storage.run(name, () => lastValueFrom(answer));
    }
    expect(seen).toEqual(['the one that connects', 'another']);
  });

  it('report when Redis has accepted an event, or that it has not', async () => {
    const client = harness.client({ maxPayload: 500 });
    const emitted = told('nestjs-cluster-pubsub:emit');
    await outcome(client.emit('told', 1));
    await outcome(client.emit('told', 'x'.repeat(1_000)));
    expect(emitted.map(({ pattern, outcome }) => `${pattern} ${outcome}`)).toEqual([
      'told published',
      'told failed',
    ]);
    expect(emitted[1]!.error).toMatchObject({ code: 'PAYLOAD_TOO_LARGE' });
  });

  it('report requests and events that fail because there is no cluster', async () => {
    const [requests, emitted] = [told('nestjs-cluster-pubsub:request'), told('nestjs-cluster-pubsub:emit')];
    const client = harness.client({ nodes: [{ host: '127.0.0.1', port: 1 }], connectTimeout: 100 });
    const seen: unknown[] = [];
    client.setOnDispatchHook((packet) => void seen.push(packet));
    await outcome(client.send('ask', 1));
    await outcome(client.emit('told', 1));
    const failed = { client, outcome: 'failed', error: { code: 'CLUSTER_UNREACHABLE' } };
    expect(requests).toMatchObject([{ ...failed, pattern: 'ask' }]);
    expect(emitted).toMatchObject([{ ...failed, pattern: 'told' }]);
    expect([requests[0]!.packet, emitted[0]!.packet]).toEqual(seen);
  });

  it('find the dispatch hook knowing the type of the packet', async () => {
    await harness.server({ ask: () => 1 });
    const client = harness.client();
    const hooked: string[] = [];
    client.setOnDispatchHook(({ pattern }) => void hooked.push(`${client.dispatching} ${String(pattern)}`));
    await lastValueFrom(client.emit('told', 1));
    await lastValueFrom(client.send('ask', 1));
    expect(hooked).toEqual(['event told', 'request ask']);
  });

  it('report how each handler ended, with its context, before the processing end hook runs', async () => {
    const order: string[] = [];
    const server = harness.newServer();
    addHandlers(server, {
      ask: () => 1,
      fail: () => {
        throw new Error('a broken handler');
      },
      count: () => interval(1),
      'event:told': () => undefined,
    });
    server.setOnProcessingEndHook((_transportId, context) => {
      order.push(`hook ${(context as ClusterPubSubContext).getPattern()}`);
    });
    await listen(server);
    const handled = told('nestjs-cluster-pubsub:handled');
    subscribe('nestjs-cluster-pubsub:handled', tellOrder);
    stops.push(() => unsubscribe('nestjs-cluster-pubsub:handled', tellOrder));
    function tellOrder(message: unknown): void {
      const { pattern } = message as ClusterPubSubDiagnostics['nestjs-cluster-pubsub:handled'];
      order.push(`told ${pattern}`);
    }
    const client = harness.client();
    await lastValueFrom(client.send('ask', 1));
    await outcome(client.send('fail', 1));
    await firstValueFrom(client.send('count', 1).pipe(take(1)));
    await eventually(() => handled.length === 3, 'the stream has ended');
    await outcome(client.emit('told', 1));
    await eventually(() => order.length === 8, 'all four have ended');
    expect(handled.map(({ type, pattern, outcome }) => `${type} ${pattern} ${outcome}`)).toEqual([
      'request ask done',
      'request fail failed',
      'request count cancelled',
      'event told done',
    ]);
    expect(order).toEqual(
      ['ask', 'fail', 'count', 'told'].flatMap((name) => [`told ${name}`, `hook ${name}`]),
    );
    expect(handled[1]!.error).toMatchObject({ message: 'a broken handler' });
    for (const message of handled) {
      expect(message.server).toBe(server);
      expect(message.context).toBeInstanceOf(ClusterPubSubContext);
      expect(message.duration).toBeGreaterThanOrEqual(0);
    }
    expect(server.metrics().handlerTime).toMatchObject({ count: 4 });
  });

  it('report malformed messages, with channel and size', async () => {
    const server = await harness.server({ ask: () => 1 });
    const malformed = told('nestjs-cluster-pubsub:malformed');
    const channel = `${harness.prefix}ask`;
    await harness.redis().publish(channel, 'no packet');
    await eventually(() => malformed.length > 0, 'it is told');
    expect(malformed).toEqual([{ source: server, channel, size: 9 }]);
    expect(malformed[0]!.source).toBe(server);
  });

  it('cost nothing without a subscriber: handlers are not timed', async () => {
    const server = await harness.server({ ask: () => 1 });
    const client = harness.client();
    await lastValueFrom(client.send('ask', 1));
    expect(server.metrics()).toMatchObject({ requests: 1, handlerTime: undefined });
  });
});

it('an engine used alone is reported as the object itself, not only by its name', async () => {
  const statuses = told('nestjs-cluster-pubsub:status');
  const pubsub = new ClusterPubSub({ nodes: cluster.nodes });
  await pubsub.connect();
  await pubsub.close();
  expect(statuses.map(({ status }) => status)).toEqual(['connecting', 'connected', 'closed']);
  for (const message of statuses) expect(message.pubsub).toBe(pubsub);
});
