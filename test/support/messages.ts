import type { ClusterPubSub, DataMessage, PubSubEncoding } from '../../src/pubsub/index.js';
import { unique } from './names.js';

/** Collects messages; its `handler` is what to subscribe with. */
export class ReceivedMessages<E extends PubSubEncoding = 'utf8'> {
  readonly messages: DataMessage<E>[] = [];
  #check: (() => void) | undefined;

  readonly handler = (message: DataMessage<E>): void => {
    this.messages.push(message);
    this.#check?.();
  };

  get data(): DataMessage<E>['data'][] {
    return this.messages.map(({ data }) => data);
  }

  /** Resolves when that many messages, or one for which `wanted` returns true, have been received. */
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

/** Resolves when all that was published to `channel` before has been delivered to `received` as well. */
export async function settledBy(
  publisher: ClusterPubSub,
  channel: string,
  received: ReceivedMessages | ReceivedMessages<'buffer'>,
): Promise<void> {
  const last = unique('last');
  await publisher.publish(channel, last);
  await received.has(({ data }: { data: string | Buffer }) => data.toString() === last);
}
