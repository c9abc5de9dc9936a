import { afterEach, describe, expect, it } from '@jest/globals';
import { lastValueFrom } from 'rxjs';
import type { ClusterPubSub } from '../../../../src/pubsub/index.js';
import type { ClusterPubSubClient } from '../../../../src/transport/index.js';
import { ownCluster } from '../../../support/own-cluster.js';
import { logged, outcome, transports } from '../../../support/transports.js';
import { eventually } from '../../../support/waiting.js';

const harness = transports();

/** A server that keeps the data of `told` and of `ask`, which has no response. */
async function listener(): Promise<unknown[]> {
  const heard: unknown[] = [];
  await harness.server(
    {
      'event:told': (data: unknown) => void heard.push(data),
      ask: (data: unknown) => {
        heard.push(data);
        return new Promise(() => undefined);
      },
    },
    { shutdownGracePeriod: 0 },
  );
  return heard;
}

function numbers(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index);
}

describe('close()', () => {
  it.each([
    ['that has not connected', async () => undefined],
    ['that connects', async (client: ClusterPubSubClient) => void client.connect()],
    ['that has connected', (client: ClusterPubSubClient) => client.connect()],
    ['in use', (client: ClusterPubSubClient) => lastValueFrom(client.emit('told', 'before'))],
  ])('of a client %s publishes every event emitted before it, in order', async (_state, prepare) => {
    const heard = await listener();
    const client = harness.client({ shutdownGracePeriod: 5_000 });
    await prepare(client);
    numbers(100).forEach((number) => client.emit('told', number));
    await client.close();
    await eventually(() => heard.at(-1) === 99, 'the last one has arrived');
    expect(heard.filter((data) => data !== 'before')).toEqual(numbers(100));
  });

  it('publishes ten thousand events, or tells why not', async () => {
    const heard = await listener();
    const client = harness.client({ shutdownGracePeriod: 5_000 });
    const results = numbers(10_000).map((number) => outcome(client.emit('told', number)));
    await client.close();
    const failed = (await Promise.all(results)).filter(({ error }) => error !== undefined);
    await eventually(() => heard.length + failed.length === 10_000, 'each has arrived or failed');
    expect(failed).toEqual([]);
    expect(heard).toEqual(numbers(10_000));
  });

  it('waits for a serializer that takes its time', async () => {
    const heard = await listener();
    const serialize = (packet: unknown) => new Promise((resolve) => setTimeout(resolve, 50, packet));
    const client = harness.client({ serializer: { serialize } as never, shutdownGracePeriod: 5_000 });
    await client.connect();
    client.emit('told', 'serialized');
    await client.close();
    await eventually(() => heard.length === 1, 'it has arrived');
  });

  it('sends every request made before it; those without a response then fail', async () => {
    const heard = await listener();
    const client = harness.client({ shutdownGracePeriod: 5_000 });
    const results = numbers(100).map((number) => outcome(client.send('ask', number)));
    await client.close();
    for (const { error } of await Promise.all(results)) {
      expect(error).toMatchObject({ code: 'CLOSED' });
    }
    await eventually(() => heard.length === 100, 'all were handled');
  });

  it('lets the result of an event be learned afterwards', async () => {
    const client = harness.client();
    const result = client.emit('told', 1);
    await client.close();
    expect(await outcome(result)).toEqual({ values: [undefined] });
  });

  it('refuses with an error what comes while it runs', async () => {
    const client = harness.client();
    await client.connect();
    const closed = client.close();
    for (const result of [client.emit('told', 1), client.send('ask', 1)]) {
      expect((await outcome(result)).error).toMatchObject({ code: 'CLOSED' });
    }
    await closed;
  });

  it('publishes what was published through unwrap()', async () => {
    const heard = await listener();
    const client = harness.client();
    await client.connect();
    const pubsub = client.unwrap<ClusterPubSub<'buffer'>>();
    const counts = numbers(10).map((number) => pubsub.publish(`${harness.prefix}told`, String(number)));
    await client.close();
    expect(await Promise.all(counts)).toEqual(numbers(10).map(() => 1));
    await eventually(() => heard.length === 10, 'all have arrived');
  });
});

describe('flush()', () => {
  it('resolves when what was accepted before it has been taken by Redis', async () => {
    const client = harness.client();
    await client.flush();
    let taken = 0;
    const results = numbers(100).map(async (number) => {
      await lastValueFrom(client.emit('told', number));
      taken += 1;
    });
    await client.flush();
    await Promise.resolve(); // `lastValueFrom` takes one microtask more
    expect(taken).toBe(100);
    await Promise.all(results);
    await client.flush();
  });

  it('resolves when requests are out, not when they are answered', async () => {
    const heard = await listener();
    const client = harness.client();
    const asked = outcome(client.send('ask', 1));
    await client.flush();
    await eventually(() => heard.length === 1, 'it was handled');
    expect(client.metrics().inFlight).toBe(1);
    await client.close();
    expect((await asked).error).toMatchObject({ code: 'CLOSED' });
  });

  it('resolves where events fail, or nothing can be reached', async () => {
    const client = harness.client({ maxPayload: 100 });
    const tooLarge = outcome(client.emit('told', 'x'.repeat(200)));
    await client.flush();
    expect((await tooLarge).error).toMatchObject({ code: 'PAYLOAD_TOO_LARGE' });

    const lost = harness.client({ nodes: [{ host: '127.0.0.1', port: 1 }], connectTimeout: 100 });
    const failed = outcome(lost.emit('told', 1));
    await lost.flush();
    expect((await failed).error).toMatchObject({ code: 'CLUSTER_UNREACHABLE' });
    await lost.flush();
  });
});

describe('close() while a node is away', () => {
  const cluster = ownCluster({ masters: 3, replicas: 0, nodeTimeout: 60_000 });
  const faulty = transports(cluster);
  let restart: (() => Promise<unknown>) | undefined;

  afterEach(async () => {
    await restart?.();
    restart = undefined;
  });

  it.each([
    ['dead', 'CLOSED', () => undefined],
    // Written to its socket before, and perhaps read.
    ['silent', 'PUBLISH_FAILED', (client: ClusterPubSubClient) => lastValueFrom(client.emit('told', 0))],
  ] as const)(
    'tells what waits for one that is %s when the grace period is over, and logs how many',
    async (fault, code, prepare) => {
      const client = faulty.client({ shutdownGracePeriod: 400, commandTimeout: 10_000 });
      await client.connect();
      await prepare(client);
      const owner = client.unwrap<ClusterPubSub<'buffer'>>().nodeOf(`${faulty.prefix}told`);
      const node = cluster.nodes.find(({ host, port }) => owner === `${host}:${port}`)!;
      await (fault === 'dead' ? cluster.kill(node) : cluster.pause(node));
      restart = () => (fault === 'dead' ? cluster.restart(node) : cluster.resume(node));
      const results = numbers(20).map((number) => outcome(client.emit('told', number)));
      const began = performance.now();
      await client.close();
      const took = performance.now() - began;
      for (const { error } of await Promise.all(results)) {
        expect(error).toMatchObject({ code });
      }
      expect(took).toBeGreaterThan(399);
      expect(took).toBeLessThan(1_500);
      expect(logged).toContainEqual(
        'close(): 20 messages were not taken by Redis within 400 ms (shutdownGracePeriod). Their callers got an error.',
      );
      logged.length = 0;
    },
  );

  it('delivers them if it is back in time', async () => {
    const client = faulty.client({ shutdownGracePeriod: 20_000, commandTimeout: 20_000 });
    await client.connect();
    const owner = client.unwrap<ClusterPubSub<'buffer'>>().nodeOf(`${faulty.prefix}told`);
    const node = cluster.nodes.find(({ host, port }) => owner === `${host}:${port}`)!;
    await cluster.kill(node);
    const results = numbers(20).map((number) => outcome(client.emit('told', number)));
    const closed = client.close();
    await cluster.restart(node);
    await closed;
    expect(await Promise.all(results)).toEqual(numbers(20).map(() => ({ values: [undefined] })));
  });
});
