import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { Script } from 'node:vm';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { get, openStream, post } from '../../../sample-app/demo/http.js';
import { Shop } from '../../../sample-app/demo/shop.js';
import type { Notification } from '../../../sample-app/shared/notification.js';
import type { Order } from '../../../sample-app/shared/order.js';
import { ClusterPubSub } from '../../../src/pubsub/index.js';
import { isAlive } from '../../support/processes.js';
import { sharedCluster } from '../../support/shared-cluster.js';
import { eventually } from '../../support/waiting.js';

const requestTimeout = 1_000;

describe('the sample shop, each service a process of its own', () => {
  const prefix = `shop-${randomUUID().slice(0, 8)}:`;
  let shop: Shop;

  beforeAll(async () => {
    // The services run as a user's would: compiled, on the package's published exports.
    execFileSync(process.execPath, ['scripts/ensure-built.mjs'], {
      env: { ...process.env, NODE_OPTIONS: '' },
    });
    const folder = join(process.cwd(), 'sample-app/dist');
    shop = await Shop.open({ nodes: sharedCluster(), prefix, folder, requestTimeout });
  }, 120_000);

  afterAll(() => shop.close());

  it('answers 20 orders placed at the same time with an order of its own each', async () => {
    const wishes = Array.from({ length: 20 }, (_, index) => ({ item: `item ${index}`, quantity: index + 1 }));
    const answers = await Promise.all(wishes.map((wish) => post(`${shop.url}/orders`, wish)));

    expect(answers.map(({ status }) => status)).toEqual(wishes.map(() => 201));
    expect(answers.map(({ body }) => body as Order)).toEqual(
      wishes.map((wish) => ({ ...wish, id: expect.any(String) })),
    );
    expect(new Set(answers.map(({ body }) => (body as Order).id)).size).toBe(20);
  });

  it('finds an order by a request with an object pattern', async () => {
    const order = await placeOrder();
    expect(await get(`${shop.url}/orders/${order.id}`)).toMatchObject({ status: 200, body: order });
  });

  it('turns the RpcException of a service into the HTTP status that it names', async () => {
    expect(await get(`${shop.url}/orders/none`)).toMatchObject({
      status: 404,
      body: { message: 'Order none does not exist.' },
    });
    expect(await post(`${shop.url}/orders`, { item: '', quantity: 0 })).toMatchObject({ status: 400 });
  });

  it('hands the values of a streamed answer on one by one, in order', async () => {
    const { id } = await placeOrder();
    const seen: unknown[] = [];
    for await (const { data } of await openStream(`${shop.url}/orders/${id}/progress`)) seen.push(data);
    expect(seen).toEqual(['received', 'paid', 'packed', 'shipped'].map((step) => ({ id, step })));
  });

  it('answers 404 for the stream of an order that does not exist, before the stream begins', async () => {
    expect(await get(`${shop.url}/orders/none/progress`)).toMatchObject({ status: 404 });
  });

  it('brings each event to the exact handler once and to the wildcard handler once', async () => {
    const { id } = await placeOrder();
    await eventually(async () => (await notificationsOf(id)).length >= 3, 'three notifications');
    expect((await notificationsOf(id)).sort()).toEqual([
      'order.created ← order.*',
      'order.created ← order.created',
      'order.paid ← order.*',
    ]);
  });

  it('brings a plain PUBLISH of another program to the wildcard handler', async () => {
    const id = randomUUID();
    const [node] = sharedCluster() as [{ host: string; port: number }];
    const redis = new Redis({ ...node, lazyConnect: true });
    try {
      await redis.connect();
      await redis.publish(`${prefix}order.refunded`, JSON.stringify({ id }));
    } finally {
      redis.disconnect();
    }
    await eventually(async () => (await notificationsOf(id)).length > 0, 'a notification');
    expect(await notificationsOf(id)).toEqual(['order.refunded ← order.*']);
  });

  it('shows orders and notifications on the live page as they happen', async () => {
    const leave = new AbortController();
    const seen: string[] = [];
    const live = await openStream(`${shop.url}/live`, leave.signal);
    const { id } = await placeOrder();
    for await (const { type, data } of live) {
      if (JSON.stringify(data).includes(id)) seen.push(type);
      if (seen.length === 4) break;
    }
    leave.abort();
    expect(seen.sort()).toEqual(['notification', 'notification', 'notification', 'order']);
  });

  it('serves a page whose script compiles and that fetches nothing from elsewhere', async () => {
    const response = await fetch(shop.url);
    const page = await response.text();
    expect(response.headers.get('content-type')).toContain('text/html');
    const script = /<script>(.*)<\/script>/s.exec(page)?.[1] ?? '';
    expect(script).toContain("new EventSource('/live')");
    expect(() => new Script(script)).not.toThrow();
    expect(page).not.toMatch(/https?:|src=|href=/);
  });

  it('reports that the cluster is healthy', async () => {
    const { status, body } = await get(`${shop.url}/health`);
    expect(status).toBe(200);
    expect(body).toMatchObject({ status: 'ok', details: { cluster: { status: 'up' } } });
  });

  it('is ready when messages get through every master, and alive in any case', async () => {
    const { status, body } = await get(`${shop.url}/health/ready`);
    expect({ status, reasons: body.details.cluster.reasons }).toEqual({ status: 200, reasons: [] });
    expect(await get(`${shop.url}/health/live`)).toMatchObject({ status: 200, body: { status: 'ok' } });
  });

  it('answers 503 with our code at once when a pattern has no handler', async () => {
    const { status, body, ms } = await get(`${shop.url}/orders/any/invoice`);
    expect({ status, code: body.code }).toEqual({ status: 503, code: 'NO_SUBSCRIBERS' });
    expect(ms).toBeLessThan(requestTimeout);
  });

  it('answers 504 with our code when a service does not reply in time', async () => {
    const silent = new ClusterPubSub({ nodes: sharedCluster() });
    try {
      await silent.ssubscribe(`${prefix}invoice.get`);
      const { status, body } = await get(`${shop.url}/orders/any/invoice`);
      expect({ status, code: body.code }).toEqual({ status: 504, code: 'REQUEST_TIMEOUT' });
    } finally {
      await silent.close();
    }
  });

  it('answers 413 with our code when a request is too large for a packet', async () => {
    const { status, body } = await post(`${shop.url}/orders`, { item: 'x'.repeat(2_000_000), quantity: 1 });
    expect({ status, code: body.code }).toEqual({ status: 413, code: 'PAYLOAD_TOO_LARGE' });
  });

  it('ends a service on SIGTERM with exit code 0, answers 503 at once, and goes on when it is back', async () => {
    const pid = shop.pidOf('orders')!;
    expect(await shop.stop('orders')).toBe(0);
    expect(isAlive(pid)).toBe(false);

    const refused = await post(`${shop.url}/orders`, { item: 'tea', quantity: 1 });
    expect({ status: refused.status, code: refused.body.code }).toEqual({
      status: 503,
      code: 'NO_SUBSCRIBERS',
    });
    expect(refused.ms).toBeLessThan(requestTimeout);
    await eventually(async () => (await get(`${shop.url}/health`)).status === 503, 'the health says so');
    expect((await get(`${shop.url}/health`)).body.error.cluster.message).toContain('"order.create"');

    await shop.start('orders');
    await placeOrder();
  });

  it('ends every service on SIGTERM with exit code 0, also while a page is watching', async () => {
    const live = await openStream(`${shop.url}/live`);
    expect(await shop.close()).toEqual([0, 0, 0]);
    // The gateway has closed the connection; how that looks to the reader is not its promise.
    await readToEnd(live).catch(() => undefined);
  });

  async function placeOrder(): Promise<Order> {
    const { status, body } = await post(`${shop.url}/orders`, { item: 'tea', quantity: 2 });
    expect(status).toBe(201);
    return body as Order;
  }

  async function notificationsOf(id: string): Promise<string[]> {
    const { body } = await get(`${shop.url}/notifications`);
    return (body as Notification[])
      .filter(({ orderId }) => orderId === id)
      .map(({ event, pattern }) => `${event} ← ${pattern}`);
  }
});

async function readToEnd(stream: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of stream);
}
