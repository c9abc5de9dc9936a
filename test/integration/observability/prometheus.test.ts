import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Counter, Registry } from 'prom-client';
import { ClusterPubSubPrometheus, type MetricsSource } from '../../../src/prometheus/index.js';
import { slotOf } from '../../../src/pubsub/common/channel-name.js';
import { PREFIX_CODEC } from '../../../src/pubsub/ordering/sequence-stamp.js';
import { engines } from '../../support/engines.js';
import { ReceivedMessages } from '../../support/messages.js';
import { unique } from '../../support/names.js';
import { ownCluster } from '../../support/own-cluster.js';
import { plainConnections } from '../../support/plain-connections.js';
import { addHandlers, listen, outcome, transports } from '../../support/transports.js';
import { eventually, next, Signal } from '../../support/waiting.js';
import { KnownTraffic, SLOW } from './known-traffic.js';

/** A scrape page, taken apart as Prometheus does it. */
class Page {
  readonly types = new Map<string, string>();
  readonly #samples = new Map<string, number>();

  constructor(readonly text: string) {
    for (const line of text.split('\n')) {
      const [, name, type] = /^# TYPE (\S+) (\S+)$/.exec(line) ?? [];
      if (name !== undefined) this.types.set(name, type!);
      const [, sample, labels = '', value] = /^(\w+)(?:\{(.*)\})? (\S+)$/.exec(line) ?? [];
      if (sample !== undefined) this.#samples.set(idOf(sample, labels.split(',')), Number(value));
    }
  }

  /** The value of one sample; undefined if there is none. */
  value(name: string, labels: Readonly<Record<string, string>>): number | undefined {
    const list = Object.entries(labels).map(([key, value]) => `${key}="${value}"`);
    return this.#samples.get(idOf(name, list));
  }
}

function idOf(name: string, labels: readonly string[]): string {
  return `${name} ${[...labels].sort().join()}`;
}

async function scrape(register: Registry): Promise<Page> {
  return new Page(await register.metrics());
}

const documented = [
  ...readFileSync(join(process.cwd(), 'docs/observability.md'), 'utf8').matchAll(
    /^\| `(cluster_pubsub_\w+)` +\| (counter|gauge|histogram)/gm,
  ),
].map(([, name, type]) => [name!, type!] as const);

describe('a page that Prometheus scrapes', () => {
  const register = new Registry();
  const traffic = new KnownTraffic(transports());
  const metrics = new ClusterPubSubPrometheus({ register });
  let page: Page;

  beforeAll(async () => {
    metrics.watch(traffic.server, 'server').watch(traffic.client, 'client').watch(traffic.engine, 'engine');
    await traffic.send();
    page = await scrape(register);
  });

  afterAll(async () => {
    metrics.close();
    await traffic.close();
  });

  it('has all metrics that are documented, of the documented types, and no others', () => {
    expect(documented.length).toBeGreaterThan(30);
    expect([...page.types].sort()).toEqual(documented.map((entry) => [...entry]).sort());
  });

  it('says what the traffic was, source by source', () => {
    const types = new Map([...page.types].map(([name, type]) => [name.replace(/_total$/, ''), type]));
    for (const [name, values] of Object.entries(traffic.expected)) {
      const base = `cluster_pubsub_${name.replaceAll('.', '_')}`;
      const full = types.get(base) === 'counter' ? `${base}_total` : base;
      for (const [source, value] of Object.entries(values)) {
        expect([full, source, page.value(full, { source })]).toEqual([full, source, value]);
      }
    }
  });

  it('says of each source only what it can know', () => {
    expect(page.value('cluster_pubsub_requests_total', { source: 'server' })).toBeUndefined();
    expect(page.value('cluster_pubsub_handled_requests_total', { source: 'client' })).toBeUndefined();
    expect(page.value('cluster_pubsub_malformed_total', { source: 'engine' })).toBeUndefined();
  });

  it('has the engine of a server and of a client under their names', () => {
    const { pubsub } = traffic.server.metrics();
    expect(page.value('cluster_pubsub_subscriptions_confirmed', { source: 'server' })).toBe(
      pubsub!.confirmed,
    );
    expect(pubsub!.confirmed).toBeGreaterThan(0);
    expect(page.value('cluster_pubsub_published_total', { source: 'client' })).toBeGreaterThanOrEqual(12);
  });

  it('has the time of each handler, in seconds', () => {
    const duration = 'cluster_pubsub_handler_duration_seconds';
    for (const [handler, count] of Object.entries(traffic.handled)) {
      const [pattern, type] = handler.split(' ') as [string, string];
      const labels = { source: 'server', pattern, type };
      expect([handler, page.value(`${duration}_count`, labels)]).toEqual([handler, count]);
      expect(page.value(`${duration}_bucket`, { ...labels, le: '+Inf' })).toBe(count);
    }
    const slow = { source: 'server', pattern: 'slow', type: 'request' };
    const sum = page.value(`${duration}_sum`, slow)!;
    expect(sum).toBeGreaterThan((SLOW - 2) / 1_000);
    expect(sum).toBeLessThan(5);
    expect(page.value(`${duration}_bucket`, { ...slow, le: '0.025' })).toBe(0);
    const quick = { source: 'server', pattern: 'double', type: 'request' };
    expect(page.value(`${duration}_sum`, quick)!).toBeLessThan(sum);
  });

  it('counts on from scrape to scrape', async () => {
    await outcome(traffic.client.send('double', 1));
    const later = await scrape(register);
    expect(later.value('cluster_pubsub_requests_total', { source: 'client' })).toBe(
      traffic.expected.requests!.client! + 1,
    );
  });
});

describe('faults on the page', () => {
  const open = engines();
  const plain = plainConnections();
  const cluster = ownCluster({ masters: 3, replicas: 0 });
  const harness = transports(cluster);

  it('are the connections lost, the gaps, the reconnects and the moves that there were', async () => {
    const register = new Registry();
    const metrics = new ClusterPubSubPrometheus({ register });
    const pubsub = open({}, { nodes: cluster.nodes });
    metrics.watch(pubsub, 'engine');
    const channel = unique();
    await pubsub.subscribe(channel);

    const gap = next(pubsub, 'gap');
    await plain(pubsub.nodeOf(channel)).client('KILL', 'TYPE', 'PUBSUB');
    await gap;
    const moved = next(pubsub, 'moved');
    const owner = await cluster.ownerOf(slotOf(channel));
    const target = (await cluster.masters()).find(({ port }) => port !== owner.port)!;
    await cluster.moveSlot(slotOf(channel), target);
    await moved;

    const page = await scrape(register);
    const value = (name: string) => page.value(`cluster_pubsub_${name}`, { source: 'engine' });
    expect(value('connections_lost_total')).toBe(1);
    expect(value('gaps_total')).toBe(1);
    expect(value('reconnects_total')).toBe(1);
    expect(value('moved_total')).toBe(1);
    metrics.close();
  });

  const opened: ClusterPubSubPrometheus[] = [];
  afterEach(() => opened.splice(0).forEach((metrics) => metrics.close()));

  /** What the page says of one source. */
  function watched(source: MetricsSource) {
    const register = new Registry();
    opened.push(new ClusterPubSubPrometheus({ register }).watch(source, 'it'));
    return async (name: string) => (await scrape(register)).value(`cluster_pubsub_${name}`, { source: 'it' });
  }

  it('are the publishes that failed', async () => {
    const pubsub = open({}, { nodes: cluster.nodes, maxQueuedMessages: 1 });
    const value = watched(pubsub);
    const channel = unique();
    await pubsub.publish(channel, '');
    const results = await Promise.allSettled([1, 2, 3].map((n) => pubsub.publish(channel, String(n))));
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected']);
    expect(await value('publish_errors_total')).toBe(2);
    expect(await value('published_total')).toBe(4);
  });

  it('are the messages that were no UTF-8, and the time that a handler took', async () => {
    const pubsub = open({ encodingErrors: 'strict' }, { nodes: cluster.nodes });
    const value = watched(pubsub);
    const [channel, received] = [unique(), new ReceivedMessages()];
    await pubsub.subscribe({
      [channel]: (message) => {
        const until = performance.now() + 30;
        while (performance.now() < until);
        received.handler(message);
      },
    });
    await pubsub.publish(channel, Buffer.from([0xff]));
    await pubsub.publish(channel, 'text');
    await received.has(1);
    await eventually(async () => (await value('max_dispatch_time_seconds'))! > 0, 'it is timed');
    expect(await value('undecodable_total')).toBe(1);
    expect(await value('received_total')).toBe(2);
    const seconds = (await value('max_dispatch_time_seconds'))!;
    expect([seconds >= 0.03, seconds < 3]).toEqual([true, true]);
  });

  it('are the second copies, and the messages that are missing', async () => {
    const pubsub = open({ ignoreSubscribeMessages: true }, { nodes: cluster.nodes });
    const value = watched(pubsub);
    const [channel, received] = [unique(), new ReceivedMessages()];
    await pubsub.ssubscribe({ [channel]: received.handler });
    const redis = plain(pubsub.nodeOf(channel));
    for (const number of [0, 0, 1, 4, 4, 9]) {
      const sealed = PREFIX_CODEC.encode('', `somebody.0.${String(number)}`);
      await redis.spublish(channel, sealed as string);
    }
    await redis.spublish(channel, 'last');
    await received.has(({ data }) => data === 'last');
    await eventually(async () => (await value('missed_total'))! > 0, 'what is missing is missed');
    expect(await value('duplicates_total')).toBe(2);
    expect(await value('missed_total')).toBe(6);
  });

  it('are the messages that waited for a slot, and were sent again', async () => {
    const [channel, received] = [unique(), new ReceivedMessages()];
    const subscriber = open({}, { nodes: cluster.nodes });
    const publisher = open({ sequence: true }, { nodes: cluster.nodes });
    const value = watched(publisher);
    await subscriber.ssubscribe({ [channel]: received.handler });
    await publisher.spublish(channel, '');
    const traffic = setInterval(() => void publisher.spublish(channel, ''), 2);
    const owner = await cluster.ownerOf(slotOf(channel));
    const target = (await cluster.masters()).find(({ port }) => port !== owner.port)!;
    await cluster.moveSlot(slotOf(channel), target);
    await eventually(() => publisher.metrics().migrationPauses > 0, 'messages have waited');
    clearInterval(traffic);
    await publisher.spublish(channel, '');
    const { migrationPauses: pauses, retransmitted } = publisher.metrics();
    expect([await value('migration_pauses_total'), await value('retransmitted_total')]).toEqual([
      pauses,
      retransmitted,
    ]);
    expect(retransmitted).toBeGreaterThan(0);
  });

  it('are the probes that did not come back', async () => {
    const options = { probeInterval: 50, probeTimeout: 200 };
    const pubsub = open({}, { nodes: cluster.nodes, ...options });
    const value = watched(pubsub);
    const channel = unique();
    await pubsub.ssubscribe(channel);
    await eventually(async () => (await value('probes_total'))! >= 3, 'probes come and go');
    expect(await value('probes_lost_total')).toBe(0);
    const owner = await cluster.ownerOf(slotOf(channel));
    const lost = next(pubsub, 'interrupted');
    await cluster.pause(owner);
    await lost;
    await cluster.resume(owner);
    expect(await value('probes_lost_total')).toBe(1);
  });

  it('are the requests without a reply: without a handler, or cut off from their reply inbox', async () => {
    const hanging = new Signal();
    const server = await harness.server({
      'event:told': () => undefined,
      hang: () => {
        hanging.resolve();
        return new Promise(() => undefined);
      },
    });
    const client = harness.client();
    const [atServer, atClient] = [watched(server), watched(client)];
    await outcome(client.send('told', 1));
    expect(await atServer('handled_no_handler_total')).toBe(1);
    const asked = outcome(client.send('hang', 1));
    await hanging.promise;
    for (const { port } of cluster.nodes) await plain(port).client('KILL', 'TYPE', 'PUBSUB');
    expect((await asked).error).toMatchObject({ code: 'GAP' });
    expect(await atClient('requests_gaps_total')).toBe(1);
    expect(await atClient('requests_errors_total')).toBe(1);
  });

  it('are the messages that wait for a node that is gone', async () => {
    const pubsub = open({}, { nodes: cluster.nodes, commandTimeout: 20_000 });
    const value = watched(pubsub);
    const channel = unique();
    await pubsub.publish(channel, 'before');
    const owner = await cluster.ownerOf(slotOf(channel));
    await cluster.kill(owner);
    await pubsub.publish(channel, 'in flight').catch(() => undefined);
    const waiting = [1, 2].map((n) => pubsub.publish(channel, String(n)));
    await eventually(async () => (await value('publishes_waiting'))! >= 2, 'both wait');
    expect(await value('publishes_waiting')).toBe(2);
    await cluster.restart(owner);
    await Promise.all(waiting);
    expect(await value('publishes_waiting')).toBe(0);
  });
});

describe('ClusterPubSubPrometheus', () => {
  const harness = transports();
  const opened: ClusterPubSubPrometheus[] = [];
  const prometheus = (register = new Registry()): ClusterPubSubPrometheus => {
    const metrics = new ClusterPubSubPrometheus({ register });
    opened.push(metrics);
    return metrics;
  };

  afterEach(() => opened.splice(0).forEach((metrics) => metrics.close()));

  it('has handlers timed only while it watches their server', async () => {
    const server = harness.newServer();
    addHandlers(server, { ask: () => 1 });
    await listen(server);
    const client = harness.client();
    await outcome(client.send('ask', 1));
    expect(server.metrics().handlerTime).toBeUndefined();

    const metrics = prometheus().watch(client, 'client');
    await outcome(client.send('ask', 1));
    expect(server.metrics().handlerTime).toBeUndefined();

    metrics.watch(server, 'server');
    await outcome(client.send('ask', 1));
    await eventually(() => server.metrics().handlerTime?.count === 1, 'one handler is timed');

    metrics.close();
    await outcome(client.send('ask', 1));
    expect(server.metrics()).toMatchObject({ requests: 4, handlerTime: { count: 1 } });
  });

  it('gives zeros for a server that does not listen yet, and nothing of a source that it has left', async () => {
    const register = new Registry();
    const server = harness.newServer();
    const metrics = prometheus(register).watch(server, 'server');
    const name = 'cluster_pubsub_received_total';
    expect((await scrape(register)).value(name, { source: 'server' })).toBe(0);
    metrics.unwatch(server);
    expect((await scrape(register)).value(name, { source: 'server' })).toBeUndefined();
  });

  it('is done with a server that it leaves: handlers are not timed, and what was timed is gone from the page', async () => {
    const register = new Registry();
    const server = await harness.server({ ask: () => 1 });
    const other = await harness.server({ answer: () => 1 });
    const client = harness.client();
    const metrics = prometheus(register).watch(server, 'left').watch(other, 'kept');
    await outcome(client.send('ask', 1));
    await outcome(client.send('answer', 1));
    await eventually(() => other.metrics().handlerTime?.count === 1, 'both are timed');
    expect((await scrape(register)).text).toContain('source="left"');

    metrics.unwatch(server);
    const page = await scrape(register);
    expect(page.text).not.toContain('source="left"');
    const count = 'cluster_pubsub_handler_duration_seconds_count';
    expect(page.value(count, { source: 'kept', pattern: 'answer', type: 'request' })).toBe(1);

    metrics.unwatch(other);
    await outcome(client.send('ask', 2));
    await outcome(client.send('answer', 2));
    expect([server, other].map((one) => one.metrics().handlerTime?.count)).toEqual([1, 1]);

    metrics.watch(other, 'back');
    await outcome(client.send('answer', 3));
    await eventually(() => other.metrics().handlerTime?.count === 2, 'it is timed again');
  });

  it('watches nothing any more once it is closed', () => {
    const metrics = prometheus();
    metrics.close();
    expect(() => metrics.watch(harness.client(), 'shop')).toThrow(
      expect.objectContaining({
        code: 'CLOSED',
        message: expect.stringContaining('ClusterPubSubPrometheus'),
      }),
    );
  });

  it('leaves a register as it was that has a metric of such a name', () => {
    const register = new Registry();
    new Counter({ name: 'cluster_pubsub_moved_total', help: 'mine', registers: [register] });
    expect(() => prometheus(register)).toThrow(
      expect.objectContaining({
        code: 'INVALID_ARGUMENT',
        message: expect.stringContaining('cluster_pubsub_moved_total'),
      }),
    );
    expect(register.getMetricsAsArray()).toHaveLength(1);
    register.removeSingleMetric('cluster_pubsub_moved_total');
    expect(() => prometheus(register)).not.toThrow();
  });

  it('wants a name of its own for each source, and a register of its own', () => {
    const register = new Registry();
    const metrics = prometheus(register).watch(harness.client(), 'shop');
    expect(() => metrics.watch(harness.client(), 'shop')).toThrow(
      expect.objectContaining({ code: 'INVALID_ARGUMENT' }),
    );
    expect(() => prometheus(register)).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }));
    metrics.close();
    expect(() => prometheus(register)).not.toThrow();
  });

  it('takes the buckets that it is given', async () => {
    const register = new Registry();
    const metrics = new ClusterPubSubPrometheus({ register, buckets: [0.5, 7] });
    opened.push(metrics);
    const server = harness.newServer();
    addHandlers(server, { ask: () => 1 });
    metrics.watch(server, 'server');
    await listen(server);
    await outcome(harness.client().send('ask', 1));
    const bounds = [...(await scrape(register)).text.matchAll(/le="([^"]+)"/g)].map(([, le]) => le);
    expect(bounds).toEqual(['0.5', '7', '+Inf']);
  });
});
