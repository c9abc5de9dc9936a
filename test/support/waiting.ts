import type { EventEmitter } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ClusterPubSub, ClusterPubSubEvents } from '../../src/pubsub/index.js';

/** Resolves with the next event. Unlike `once` of node:events it does not reject when `error` is emitted meanwhile. */
export function next<K extends keyof ClusterPubSubEvents>(
  pubsub: ClusterPubSub,
  event: K,
): Promise<ClusterPubSubEvents[K][0]> {
  return new Promise((resolve) => {
    (pubsub as EventEmitter).once(event, resolve);
  });
}

/** A promise for a test to resolve, from a handler or a listener. */
export class Signal<T = void> {
  resolve!: (value: T) => void;
  readonly promise = new Promise<T>((resolve) => (this.resolve = resolve));
}

/** Resolves when `condition` holds; for conditions that no event announces. Rejects after `timeout` ms. */
export async function eventually(
  condition: () => boolean | Promise<boolean>,
  what: string,
  timeout = 10_000,
): Promise<void> {
  const deadline = performance.now() + timeout;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`Not within ${timeout} ms: ${what}`);
    await sleep(20);
  }
}
