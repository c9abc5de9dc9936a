import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import type { Notification } from '../shared/notification.js';
import { steps, type Order } from '../shared/order.js';
import { expectEqual, spread, type Account } from './account.js';
import { get, openStream, post, type Answer, type ServerSentEvent } from './http.js';
import type { Shop } from './shop.js';

const orderCount = 20;
const requestCount = 200;
/** The limit of "at once" for a refused request, in ms; the request timeout of the services is 5,000. */
const atOnce = 1_000;

/** Sends real traffic through the shop over HTTP, and checks the responses. */
export async function runScenario(shop: Shop, account: Account): Promise<void> {
  const { url } = shop;
  const orders: Order[] = [];
  const live: ServerSentEvent[] = [];
  const leaving = new AbortController();
  const watching = watch(`${url}/live`, live, leaving.signal);
  await watching.open;

  await account.check('The health of the cluster is available over HTTP', async () => {
    const { status, body } = await get(`${url}/health`);
    expectEqual([status, body.status], [200, 'ok'], 'status and health');
    const { masters, numsub, shardNumsub, activeChannels, patterns } = body.details.cluster;
    const summary = {
      masters: masters.reachable,
      numsub,
      shardNumsub,
      activeChannels: activeChannels.count,
      patterns,
    };
    return `GET /health: 200, ${JSON.stringify(summary)}`;
  });

  await account.check(
    `${orderCount} orders, all at the same time, each get an answer of their own`,
    async () => {
      const wishes = Array.from({ length: orderCount }, (_, index) => ({
        item: `tea ${index}`,
        quantity: index + 1,
      }));
      const answers = await Promise.all(wishes.map((wish) => post(`${url}/orders`, wish)));
      expectEqual(statuses(answers), { 201: orderCount }, 'statuses');
      const placed = answers.map(({ body }) => body as Order);
      expectEqual(
        placed.map(({ item, quantity }) => ({ item, quantity })),
        wishes,
        'answers',
      );
      orders.push(...placed);
      return `${orderCount} × 201, ${new Set(placed.map(({ id }) => id)).size} ids, ${spread(times(answers))}`;
    },
  );

  await account.check(`${requestCount} concurrent requests bring back what was asked for`, async () => {
    const asked = Array.from({ length: requestCount }, (_, index) => orders[index % orders.length]!);
    const answers = await Promise.all(asked.map(({ id }) => get(`${url}/orders/${id}`)));
    expectEqual(
      answers.map(({ body }) => body as unknown),
      asked,
      'orders',
    );
    return `${requestCount} × 200, each the right order, ${spread(times(answers))}`;
  });

  await account.check('A streamed request returns its values one by one, in order', async () => {
    const seen: unknown[] = [];
    for await (const { data } of await openStream(`${url}/orders/${orders[0]!.id}/progress`)) {
      seen.push((data as { step: string }).step);
    }
    expectEqual(seen, steps, 'steps');
    return seen.join(' → ');
  });

  await account.check('An order that does not exist is a 404, raised in the orders service', async () => {
    const { status, body } = await get(`${url}/orders/none`);
    expectEqual(status, 404, 'status');
    return `404: ${body.message}`;
  });

  await account.check(
    'Each event reaches its exact handler once, and the wildcard handler once',
    async () => {
      const wanted = { 'order.created ← order.created': orderCount, ...wildcard(orderCount) };
      const seen = await notifications(url, wanted);
      const ids = orders.map(({ id }) => id).sort();
      for (const kind of Object.keys(wanted)) {
        expectEqual(idsOf(seen, kind), ids, `orders seen by ${kind}`);
      }
      return describe(wanted);
    },
  );

  await account.check(
    'A program without Nest reaches the wildcard handler with a plain PUBLISH',
    async () => {
      const [node] = shop.options.nodes as { host: string; port: number }[];
      const redis = new Redis({ ...node, lazyConnect: true });
      try {
        await redis.connect();
        await redis.publish(`${shop.options.prefix}order.refunded`, JSON.stringify({ id: orders[0]!.id }));
      } finally {
        redis.disconnect();
      }
      const wanted = { 'order.refunded ← order.*': 1 };
      await notifications(url, wanted);
      return `PUBLISH at ${node!.host}:${node!.port}: ${describe(wanted)}`;
    },
  );

  await account.check('The live page received every event as it happened', async () => {
    const wanted = { order: orderCount, notification: 3 * orderCount + 1 };
    await until(
      () => live.length >= wanted.order + wanted.notification,
      () => `it got ${live.length} events`,
    );
    expectEqual(count(live.map(({ type }) => type)), wanted, 'events');
    return `${wanted.order} orders and ${wanted.notification} notifications by server-sent events`;
  });
  leaving.abort();
  await watching.end;

  await account.check('A request to a pattern without a server fails at once', async () => {
    const answer = await get(`${url}/orders/${orders[0]!.id}/invoice`);
    return refusedAtOnce(answer);
  });

  await account.check(
    'With the orders service stopped, an order is refused at once, not after a timeout',
    async () => {
      const code = await shop.stop('orders');
      expectEqual(code, 0, 'exit code of the orders service');
      const answer = await post(`${url}/orders`, { item: 'tea', quantity: 1 });
      return `SIGTERM: exit code 0. POST /orders: ${refusedAtOnce(answer)}`;
    },
  );

  await account.check('Health reports that no service takes orders', async () => {
    let found: Answer | undefined;
    await until(
      async () => (found = await get(`${url}/health`)).status === 503,
      () => `GET /health: ${found?.status}`,
    );
    return `GET /health: 503, ${found?.body.details.cluster.message}`;
  });

  await account.check('With the orders service started again, the next order works', async () => {
    await shop.start('orders');
    const { status, ms } = await post(`${url}/orders`, { item: 'tea', quantity: 1 });
    expectEqual(status, 201, 'status');
    const wanted = { 'order.created ← order.created': orderCount + 1, ...wildcard(orderCount + 1) };
    await notifications(url, wanted);
    return `201 in ${ms.toFixed(1)} ms; ${describe(wanted)}: nothing was lost, nothing came twice`;
  });
}

function wildcard(each: number): Record<string, number> {
  return { 'order.created ← order.*': each, 'order.paid ← order.*': each };
}

function refusedAtOnce({ status, body, ms }: Answer): string {
  expectEqual([status, body.code], [503, 'NO_SUBSCRIBERS'], 'status and code');
  if (ms > atOnce) throw new Error(`503 came after ${ms.toFixed(0)} ms; at most ${atOnce} were allowed.`);
  return `503 ${body.code} in ${ms.toFixed(1)} ms`;
}

/** Waits until the notifications service has received the expected number of events of each kind; more are a failure. */
async function notifications(url: string, wanted: Record<string, number>): Promise<Notification[]> {
  let seen: Notification[] = [];
  const found = () => {
    const all = count(seen.map(kindOf));
    return Object.fromEntries(Object.keys(wanted).map((kind) => [kind, all[kind] ?? 0]));
  };
  await until(
    async () => {
      const { status, body } = await get(`${url}/notifications`);
      expectEqual(status, 200, 'status of GET /notifications');
      seen = body as Notification[];
      return Object.entries(found()).every(([kind, many]) => many >= wanted[kind]!);
    },
    () => `notifications: ${describe(found())}; wanted: ${describe(wanted)}`,
  );
  expectEqual(found(), wanted, 'notifications');
  return seen;
}

function kindOf({ event, pattern }: Notification): string {
  return `${event} ← ${pattern}`;
}

function idsOf(seen: readonly Notification[], kind: string): string[] {
  return seen
    .filter((notification) => kindOf(notification) === kind)
    .map(({ orderId }) => orderId)
    .sort();
}

function watch(url: string, into: ServerSentEvent[], signal: AbortSignal) {
  const opening = openStream(url, signal);
  const read = async (): Promise<void> => {
    try {
      for await (const event of await opening) into.push(event);
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  };
  const end = read();
  end.catch(() => undefined);
  return { open: opening, end };
}

/** @throws Error with the last state found, when the condition does not hold in time */
export async function until(
  condition: () => boolean | Promise<boolean>,
  found: () => string,
  timeout = 5_000,
): Promise<void> {
  const deadline = performance.now() + timeout;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`After ${timeout / 1_000} s ${found()}`);
    await sleep(20);
  }
}

function statuses(answers: readonly Answer[]): Record<string, number> {
  return count(answers.map(({ status }) => String(status)));
}

function times(answers: readonly Answer[]): number[] {
  return answers.map(({ ms }) => ms);
}

function count(names: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const name of names) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
}

function describe(counts: Record<string, number>): string {
  return Object.entries(counts)
    .map(([kind, many]) => `${many} × ${kind}`)
    .join(', ');
}
