// A process with one link to the cluster, to measure the memory of its channels.
import { setTimeout as pause } from 'node:timers/promises';
import type * as Package from 'nestjs-cluster-pubsub';
import type { Address } from '../arm.js';
import { obey } from './obey.js';

/** By path, so that the built package is measured: under tsx its name is an alias of src. */
const built = new URL('../../dist/esm/index.js', import.meta.url).href;

/** ms for what a change leaves behind: timers, and buffers of sockets. */
const settle = 1_000;
const together = 500;

export interface LinkOrders {
  /** Bytes of a link that is subscribed to the channels, and has published to and received from each. */
  memory(setup: { readonly nodes: readonly Address[]; readonly channels: number }): number;
}

const orders: { [Name in keyof LinkOrders]: (argument: never) => unknown } = {
  memory: async ({ nodes, channels }: Parameters<LinkOrders['memory']>[0]) => {
    const { ClusterPubSub } = (await import(built)) as typeof Package;
    const before = used();
    const link = new ClusterPubSub({ nodes: [...nodes] }, { sequence: true });
    await link.connect();
    let received = 0;
    const handler = (): void => {
      received += 1;
    };
    for (let from = 0; from < channels; from += together) {
      const names = Array.from(
        { length: Math.min(together, channels - from) },
        (_, index) => `bench.${from + index}`,
      );
      await link.ssubscribe(Object.fromEntries(names.map((name) => [name, handler])));
      await Promise.all(names.map((name) => link.spublish(name, 'x')));
    }
    await pause(settle);
    if (received !== channels) throw new Error(`${received} of ${channels} messages have arrived.`);
    const bytes = used() - before;
    await link.close();
    return bytes;
  },
};

function used(): number {
  // Objects with finalizers are freed by the second one.
  globalThis.gc?.();
  globalThis.gc?.();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

obey(orders);
