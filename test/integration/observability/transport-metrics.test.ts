import { describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import type { ClusterPubSubClientMetrics, ClusterPubSubServerMetrics } from '../../../src/transport/index.js';
import { ownCluster } from '../../support/own-cluster.js';
import { addHandlers, listen, outcome, transports } from '../../support/transports.js';
import { eventually } from '../../support/waiting.js';
import { KnownTraffic } from './known-traffic.js';

describe('metrics() of a server and of a client', () => {
  const harness = transports();

  it('are nothing but zeros before they are connected, and can be asked for in any state', async () => {
    const nobody: ClusterPubSubServerMetrics = {
      kind: 'server',
      requests: 0,
      events: 0,
      noHandler: 0,
      failed: 0,
      malformed: 0,
      running: 0,
      handlerTime: undefined,
      pubsub: undefined,
    };
    const idle: ClusterPubSubClientMetrics = {
      kind: 'client',
      requests: 0,
      timeouts: 0,
      noSubscribers: 0,
      gaps: 0,
      errors: 0,
      failed: 0,
      cancelled: 0,
      events: 0,
      malformed: 0,
      inFlight: 0,
      pubsub: undefined,
    };
    const [server, client] = [harness.newServer(), harness.client()];
    expect([server.metrics(), client.metrics()]).toEqual([nobody, idle]);
    addHandlers(server, { ask: () => 1 });
    await listen(server);
    await client.connect();
    expect(server.metrics().pubsub).toMatchObject({ desired: 2, confirmed: 2 });
    expect(client.metrics().pubsub).toMatchObject({ published: 0 });
    await Promise.all([server.close(), client.close()]);
    expect([server.metrics(), client.metrics()]).toEqual([nobody, idle]);
  });

  it('say what became of each request and each event', async () => {
    const traffic = new KnownTraffic(harness);
    await traffic.send();
    expect(traffic.client.metrics()).toMatchObject({
      requests: 10,
      timeouts: 1,
      noSubscribers: 1,
      gaps: 0,
      errors: 1,
      failed: 1,
      cancelled: 1,
      events: 3,
      inFlight: 1,
    });
    expect(traffic.server.metrics()).toMatchObject({
      requests: 8,
      events: 3,
      noHandler: 0,
      failed: 2,
      malformed: 1,
      running: 2,
    });
    await traffic.close();
  });

  it('count a request that an event handler of its pattern has declined', async () => {
    const server = await harness.server({ 'event:told': () => undefined });
    const client = harness.client();
    await outcome(client.send('told', 1));
    expect(server.metrics()).toMatchObject({ requests: 0, noHandler: 1 });
    expect(client.metrics()).toMatchObject({ requests: 1, errors: 1, noSubscribers: 0 });
  });

  it('count what fails because there is no cluster, or because the pattern is invalid', async () => {
    const client = harness.client({ nodes: [{ host: '127.0.0.1', port: 1 }], connectTimeout: 100 });
    expect((await outcome(client.send('ask', 1))).error).toMatchObject({ code: 'CLUSTER_UNREACHABLE' });
    expect((await outcome(client.emit('told', 1))).error).toMatchObject({ code: 'CLUSTER_UNREACHABLE' });
    expect(client.metrics()).toMatchObject({ requests: 1, failed: 1, events: 1, inFlight: 0 });
    const other = harness.client();
    expect((await outcome(other.send('_cps:in:ask', 1))).error).toMatchObject({ code: 'INVALID_ARGUMENT' });
    expect(other.metrics()).toMatchObject({ requests: 1, failed: 1 });
  });

  it('count on after close() and connect()', async () => {
    await harness.server({ ask: () => 1 });
    const client = harness.client();
    await outcome(client.send('ask', 1));
    await client.close();
    await outcome(client.send('ask', 1));
    expect(client.metrics()).toMatchObject({ requests: 2, inFlight: 0 });
  });
});

describe('a lost inbox', () => {
  const cluster = ownCluster({ masters: 3, replicas: 0 });
  const harness = transports(cluster);

  it('is a gap of the requests that waited for it', async () => {
    const server = await harness.server({ hang: () => new Promise(() => undefined) });
    const client = harness.client();
    const asked = outcome(client.send('hang', 1));
    await eventually(() => server.metrics().running === 1, 'the handler runs');
    expect(client.metrics()).toMatchObject({ inFlight: 1 });
    for (const { host, port } of cluster.nodes) {
      const redis = new Redis({ host, port });
      await redis.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
      redis.disconnect();
    }
    expect((await asked).error).toMatchObject({ code: 'GAP' });
    expect(client.metrics()).toMatchObject({ requests: 1, gaps: 1, inFlight: 0, failed: 0 });
  });
});
