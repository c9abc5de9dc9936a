import { describe, expect, it } from '@jest/globals';
import { Cluster } from 'ioredis';
import { connectionName } from '../../../../src/pubsub/connection/connection-name.js';
import { engines } from '../../../support/engines.js';
import { unique } from '../../../support/names.js';
import { plainConnections } from '../../../support/plain-connections.js';
import { sharedCluster } from '../../../support/shared-cluster.js';
import { transports } from '../../../support/transports.js';

describe('connections in CLIENT LIST', () => {
  const open = engines();
  const connect = plainConnections();
  const harness = transports();

  /** The commands that the connections of this name executed last: one entry each, of all nodes. */
  async function connectionsNamed(name: string): Promise<string[]> {
    const nodes = sharedCluster() as { port: number }[];
    const lists = await Promise.all(nodes.map(({ port }) => connect(port).client('LIST')));
    return (lists as string[])
      .flatMap((list) => list.split('\n'))
      .filter((line) => line.includes(` name=${name} `))
      .map((line) => / cmd=(\S+)/.exec(line)?.[1] ?? '');
  }

  it('are named after the prefix, the host and the process, to subscribe and to publish', async () => {
    const prefix = harness.prefix.replace(/:$/, ' déjà:');
    await harness.server({ 'event:order.created': () => undefined }, { prefix });
    await harness.client({ prefix }).connect();
    const name = connectionName(prefix);
    expect(name).toMatch(/^nestjs-cluster-pubsub:t\w+-d-j-:[^:]+:\d+$/);
    expect(await connectionsNamed(name)).toEqual(
      expect.arrayContaining([expect.stringMatching(/subscribe/), expect.not.stringMatching(/subscribe/)]),
    );
  });

  it('have the name of `redisOptions.connectionName` instead, where it is set', async () => {
    const given = unique('named-by-the-user');
    const pubsub = open(
      {},
      { nodes: sharedCluster(), clusterOptions: { redisOptions: { connectionName: given } } },
    );
    await pubsub.ssubscribe(unique());
    expect(await connectionsNamed(given)).toEqual(
      expect.arrayContaining([expect.stringMatching(/subscribe/), expect.not.stringMatching(/subscribe/)]),
    );
  });

  it("have the name that the caller's Cluster gives to its own", async () => {
    const given = unique('named-by-the-user');
    const cluster = new Cluster(sharedCluster(), {
      lazyConnect: true,
      redisOptions: { connectionName: given },
    });
    const pubsub = open({}, cluster);
    await pubsub.subscribe(unique());
    expect(await connectionsNamed(given)).toContainEqual(expect.stringMatching(/subscribe/));
  });
});
