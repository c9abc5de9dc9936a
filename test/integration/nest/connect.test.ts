import { describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { lastValueFrom } from 'rxjs';
import type { ClusterPubSubOptions } from '../../../src/transport/index.js';
import { ownCluster } from '../../support/own-cluster.js';
import { addHandlers, listen, transports } from '../../support/transports.js';

const cluster = ownCluster({ masters: 3, replicas: 0 });
const harness = transports(cluster);

/** How many connections of that name the whole cluster has. */
async function connectionsNamed(name: string): Promise<number> {
  const lists = await ofEveryNode((redis) => redis.client('LIST') as Promise<string>);
  return lists.split('\n').filter((line) => line.includes(` name=${name} `)).length;
}

/** How often the cluster was asked what it can do, which an engine does once when it connects. */
async function introductions(): Promise<number> {
  const stats = await ofEveryNode((redis) => redis.info('commandstats'));
  const calls = [...stats.matchAll(/^cmdstat_command\|info:calls=(\d+)/gm)].map(([, count]) => Number(count));
  return calls.reduce((a, b) => a + b, 0);
}

async function ofEveryNode(ask: (redis: Redis) => Promise<string>): Promise<string> {
  const answers = await Promise.all(
    cluster.nodes.map(async ({ host, port }) => {
      const redis = new Redis({ host, port });
      const answer = await ask(redis);
      redis.disconnect();
      return answer;
    }),
  );
  return answers.join('\n');
}

function named(connectionName: string): Partial<ClusterPubSubOptions> {
  return { clusterOptions: { redisOptions: { connectionName } } };
}

describe('connect() of a client', () => {
  it('is one attempt, however many call it at once', async () => {
    const single = harness.client(named('single'));
    await single.connect();
    const connections = await connectionsNamed('single');
    expect(connections).toBeGreaterThan(0);

    const before = await introductions();
    const many = harness.client(named('many'));
    await Promise.all(Array.from({ length: 50 }, () => many.connect()));
    const engine = many.unwrap();
    await Promise.all(Array.from({ length: 50 }, () => many.connect()));
    expect(many.unwrap()).toBe(engine);
    expect(await connectionsNamed('many')).toBe(connections);
    expect(await introductions()).toBe(before + 1);
  });

  it('fails for all that called it, and the next call tries again', async () => {
    await harness.server({ echo: (data: unknown) => data });
    const node = cluster.nodes[0]!;
    await cluster.kill(node);
    const client = harness.client({ nodes: [node], connectTimeout: 300 });
    const attempts = await Promise.allSettled(Array.from({ length: 3 }, () => client.connect()));
    for (const attempt of attempts) {
      expect(attempt).toMatchObject({ status: 'rejected', reason: { code: 'CLUSTER_UNREACHABLE' } });
    }

    await cluster.restart(node);
    await client.connect();
    expect(await lastValueFrom(client.send('echo', 'there'))).toBe('there');
  });
});

describe('listen() of a server', () => {
  it('fails while the cluster is away, leaves nothing open, and works when called again', async () => {
    const node = cluster.nodes[1]!;
    await cluster.kill(node);
    const server = harness.newServer({ nodes: [node], connectTimeout: 300, ...named('relistened') });
    addHandlers(server, { echo: (data: unknown) => data });
    await expect(listen(server)).rejects.toMatchObject({ code: 'CLUSTER_UNREACHABLE' });
    expect(() => server.unwrap()).toThrow(expect.objectContaining({ code: 'NOT_CONNECTED' }));

    await cluster.restart(node);
    await listen(server);
    const client = harness.client();
    expect(await lastValueFrom(client.send('echo', 'there'))).toBe('there');
    await server.close();
    expect(await connectionsNamed('relistened')).toBe(0);
  });
});
