import { describe, expect, it } from '@jest/globals';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { engines } from '../../../support/engines.js';
import { unique } from '../../../support/names.js';
import { ownCluster } from '../../../support/own-cluster.js';
import { eventually } from '../../../support/waiting.js';

describe('an engine that only publishes, while its cluster is down', () => {
  const open = engines();
  const cluster = ownCluster({ masters: 1, replicas: 0 });

  it('asks for it once a second', async () => {
    const pubsub = open({}, { nodes: cluster.nodes });
    await pubsub.publish(unique('channel'), '');
    const [node] = cluster.nodes;
    await cluster.kill(node!);
    let connections = 0;
    const server = createServer((socket) => {
      connections += 1;
      socket.destroy();
    });
    server.listen(node!.port, node!.host);
    await once(server, 'listening');
    try {
      await eventually(() => connections >= 3, 'it has noticed the outage');
      connections = 0;
      await sleep(3_000);
      expect(connections).toBeGreaterThanOrEqual(1);
      expect(connections).toBeLessThanOrEqual(6);
    } finally {
      server.close();
    }
  });
});
