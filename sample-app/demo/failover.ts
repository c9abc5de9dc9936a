import { Redis } from 'ioredis';
import type { LocalCluster } from 'nestjs-cluster-pubsub/testing';
import { expectEqual, type Account } from './account.js';
import { get, post } from './http.js';
import { until } from './scenario.js';
import type { Shop } from './shop.js';

/** Time limit for the promotion of a replica, in ms: the node timeout of 2,000, an election, and a margin. */
const promotion = 20_000;

/** Kills the master of the order requests, and follows the recovery by `GET /health`. */
export async function runFailover(cluster: LocalCluster, shop: Shop, account: Account): Promise<void> {
  const { url } = shop;
  const master = await masterOf(cluster, `${shop.options.prefix}order.create`);
  const address = `${master.host}:${master.port}`;
  const killed = performance.now();

  await account.check('After the master of the orders was killed, health is down and names it', async () => {
    await cluster.kill(master);
    let reasons: string[] = [];
    await until(
      async () => {
        const { status, body } = await get(`${url}/health`);
        reasons = body.details.cluster.reasons as string[];
        return status === 503 && reasons.some((reason) => reason.includes(address));
      },
      () => `GET /health does not name ${address}: ${JSON.stringify(reasons)}`,
    );
    const reason = reasons.find((one) => one.includes(address))!;
    return `kill -9 of ${address}; GET /health after ${since(killed)}: 503, ${reason}`;
  });

  await account.check('Liveness of the gateway stays up meanwhile', async () => {
    const { status } = await get(`${url}/health/live`);
    expectEqual(status, 200, 'status of GET /health/live');
    return 'GET /health/live: 200';
  });

  await account.check('Once its replica is promoted, the gateway is ready and orders work', async () => {
    let reasons: string[] = [];
    await until(
      async () => {
        const { status, body } = await get(`${url}/health`);
        reasons = body.details.cluster.reasons as string[];
        // Degraded rather than up: subscribers of the failed node cannot be counted.
        return status === 200;
      },
      () => `GET /health returns ${JSON.stringify(reasons)}`,
      promotion,
    );
    const recovered = since(killed);
    const { status, ms } = await post(`${url}/orders`, { item: 'tea', quantity: 1 });
    expectEqual(status, 201, 'status of POST /orders');
    return `GET /health: 200 after ${recovered} (${reasons[0] ?? 'up'}); POST /orders: 201 in ${ms.toFixed(1)} ms`;
  });

  await account.check('The killed node returns as a replica, and health is up', async () => {
    await cluster.restart(master);
    await until(
      async () => {
        const { body } = await get(`${url}/health`);
        return body.status === 'ok' && body.details.cluster.replicas.reachable === 3;
      },
      () => 'GET /health is not up with 3 replicas',
      promotion,
    );
    return 'GET /health: up, 3 masters and 3 replicas reachable';
  });
}

async function masterOf(cluster: LocalCluster, channel: string) {
  const redis = new Redis({ ...cluster.nodes[0]!, lazyConnect: true });
  try {
    await redis.connect();
    return await cluster.ownerOf(await redis.cluster('KEYSLOT', channel));
  } finally {
    redis.disconnect();
  }
}

function since(start: number): string {
  return `${((performance.now() - start) / 1_000).toFixed(1)} s`;
}
