// A process with services of a fleet. It executes the orders of its parent, and ends with it.
import 'reflect-metadata';
import { setTimeout as pause } from 'node:timers/promises';
import { obey } from '../members/obey.js';
import type { FleetOrders, Start } from './protocol.js';
import { loadService, type Service } from './service.js';

/** Time limit of an attempt, and the pause before the next one, in ms. */
const attemptTimeout = 1_500;
const retryDelay = 50;

const services: Service[] = [];

const orders: { [Name in keyof FleetOrders]: (argument: never) => unknown } = {
  start: ({ kind, place, first, count }: Start) => {
    const began = performance.now();
    const numbers = Array.from({ length: count }, (_, index) => first + index);
    return Promise.all(
      numbers.map(async (number) => {
        const service = await (await loadService(kind))(place, `s${number}`);
        services.push(service);
        await untilDone(() => service.request());
        const ready = performance.now() - began;
        await untilDone(() => service.use());
        return ready;
      }),
    );
  },
  askUntilAnswered: () =>
    Promise.all(
      services.map(async (service) => {
        await untilDone(() => service.request());
        return Date.now();
      }),
    ),
  memory: () => {
    // Objects with finalizers are freed by the second one.
    globalThis.gc?.();
    globalThis.gc?.();
    const { heapUsed, rss } = process.memoryUsage();
    return { heap: heapUsed, rss };
  },
  stop: () => Promise.all(services.splice(0).map((service) => service.close())).then(() => undefined),
};

/** Tries until it succeeds within the limit: a busy machine, or a request that was lost with its node. */
async function untilDone(attempt: () => Promise<unknown>): Promise<void> {
  const done = (): Promise<boolean> =>
    attempt().then(
      () => true,
      () => false,
    );
  while (!(await Promise.race([done(), pause(attemptTimeout, false)]))) await pause(retryDelay);
}

obey(orders);
