import type { EventNotifier } from './event-notifier.js';
import type { Lifecycle } from './lifecycle.js';
import type { Metrics } from '../common/metrics.js';
import type { ChannelName } from '../common/channel-name.js';
import type { PublishCommand, PublishObserver, PublishOptions } from '../common/publish-options.js';
import { deferred, type Deferred } from '../../util/promises.js';
import type { Publisher } from '../publish/publisher.js';
import type { OutgoingPayload } from '../ordering/sequence-stamp.js';

/** Passes messages to the publisher in the order of the calls, once the cluster has been found. */
export class ConnectQueue {
  /** Messages that wait for the first connection. */
  #held = 0;
  #drained: Deferred<undefined> | undefined;

  constructor(
    private readonly publisher: Publisher,
    private readonly lifecycle: Lifecycle,
    private readonly notifier: EventNotifier,
    private readonly metrics: Metrics,
  ) {}

  publish(
    command: PublishCommand,
    channel: ChannelName,
    data: OutgoingPayload,
    observer: PublishObserver,
    options?: PublishOptions,
  ): void {
    this.metrics.published += 1;
    // Called right after the connection was made: it goes after those that waited for that.
    if (this.#held > 0 || !this.lifecycle.open) {
      void this.#publishWhenConnected(command, channel, data, observer, options);
    } else {
      this.publisher.publish(command, channel, data, observer, options);
    }
  }

  /** Whether no message waits for the cluster or for the reply of Redis. */
  get isIdle(): boolean {
    return this.#held === 0 && this.publisher.open === 0;
  }

  /** Resolves when every message has been taken by Redis, or has failed. */
  async drained(): Promise<void> {
    if (this.#held > 0) {
      this.#drained = deferred();
      await this.#drained.promise;
    }
    await this.publisher.drained();
  }

  async #publishWhenConnected(...message: Parameters<Publisher['publish']>): Promise<void> {
    this.#held += 1;
    try {
      await this.lifecycle.find();
      this.publisher.publish(...message);
    } catch (error) {
      const [command, channel, , observer] = message;
      this.notifier.publishFailed(command, channel, error);
      observer.failed(error);
    } finally {
      this.#held -= 1;
      if (this.#held === 0) {
        this.#drained?.resolve(undefined);
      }
    }
  }
}
