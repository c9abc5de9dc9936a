import { afterEach } from '@jest/globals';
import { Redis, type RedisOptions } from 'ioredis';
import { randomUUID } from 'node:crypto';
import type { EventEmitter } from 'node:events';
import {
  ClusterPubSub,
  type ClusterPubSubEvents,
  type DataMessage,
  type PubSubEncoding,
  type PubSubOptions,
} from '../../../src/pubsub/index.js';
import { sharedCluster } from '../../support/shared-cluster.js';

/** Opens engines that are closed after each test; without `source` on the shared cluster. */
export function engines() {
  const opened: { close(): Promise<void> }[] = [];
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((engine) => engine.close()));
  });
  return <E extends PubSubEncoding = 'utf8'>(
    options?: PubSubOptions<E>,
    source: ConstructorParameters<typeof ClusterPubSub>[0] = { nodes: sharedCluster() },
  ): ClusterPubSub<E> => {
    const engine = new ClusterPubSub<E>(source, options);
    opened.push(engine);
    return engine;
  };
}

/** Opens plain connections to single nodes, as a program that knows nothing of us; closed after each test. */
export function plainConnections() {
  const opened: Redis[] = [];
  afterEach(() => {
    for (const redis of opened.splice(0)) redis.disconnect();
  });
  return (node: string | number | undefined, options: RedisOptions = {}): Redis => {
    const port = typeof node === 'number' ? node : portOf(node);
    // RESP2: ioredis 6 gives maps, not lists, to those who speak RESP3.
    const redis = new Redis({ port, protocol: 2, ...options });
    redis.on('error', () => undefined);
    opened.push(redis);
    return redis;
  };
}

/** Collects messages; its `handler` is what to subscribe with. */
export class Inbox<E extends PubSubEncoding = 'utf8'> {
  readonly messages: DataMessage<E>[] = [];
  #check: (() => void) | undefined;

  readonly handler = (message: DataMessage<E>): void => {
    this.messages.push(message);
    this.#check?.();
  };

  get data(): DataMessage<E>['data'][] {
    return this.messages.map(({ data }) => data);
  }

  /** Resolves when that many messages have come, or one that `is` what is waited for. */
  async has(wanted: number | ((message: DataMessage<E>) => boolean), timeout = 10_000): Promise<void> {
    const met = (): boolean =>
      typeof wanted === 'number' ? this.messages.length >= wanted : this.messages.some(wanted);
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => {
        reject(new Error(`Not within ${timeout} ms; there are ${this.messages.length} messages.`));
      }, timeout);
      this.#check = () => {
        if (met()) {
          clearTimeout(timer);
          resolve();
        }
      };
      this.#check();
    });
  }
}

/** Resolves with what is told next. Unlike `once` of node:events it bears errors that are told meanwhile. */
export function next<K extends keyof ClusterPubSubEvents>(
  pubsub: ClusterPubSub,
  event: K,
): Promise<ClusterPubSubEvents[K][0]> {
  return new Promise((resolve) => {
    (pubsub as EventEmitter).once(event, resolve);
  });
}

/** A name that no other test uses. */
export function unique(name = 'channel'): string {
  return `${name}:${randomUUID()}`;
}

export function uniques(count: number, name?: string): string[] {
  const base = unique(name);
  return Array.from({ length: count }, (_, index) => `${base}:${index}`);
}

/** Resolves when all that was published to `channel` before has been handed to `inbox`'s engine as well. */
export async function settledBy(
  publisher: ClusterPubSub,
  channel: string,
  inbox: Inbox | Inbox<'buffer'>,
): Promise<void> {
  const last = unique('last');
  await publisher.publish(channel, last);
  await inbox.has(({ data }: { data: string | Buffer }) => data.toString() === last);
}

export function portOf(node: string | undefined): number {
  if (node === undefined) throw new Error('No node.');
  return Number(node.slice(node.lastIndexOf(':') + 1));
}
