import type { EventNotifier } from './event-notifier.js';
import type { Lifecycle } from './lifecycle.js';
import type { Metrics } from '../common/metrics.js';
import type { ChannelName } from '../common/channel-name.js';
import type { PublishCommand, PublishObserver, PublishOptions } from '../common/publish-options.js';
import type { Publisher } from '../publish/publisher.js';
import type { OutgoingPayload } from '../ordering/sequence-stamp.js';

/** Passes messages to the publisher in the order of the calls, once the cluster has been found. */
export class ConnectQueue {
  /** Messages that wait for the first connection. */
  #held = 0;

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

  async #publishWhenConnected(...message: Parameters<Publisher['publish']>): Promise<void> {
    this.#held += 1;
    try {
      await this.lifecycle.connect();
    } catch (error) {
      const [command, channel, , observer] = message;
      this.notifier.publishFailed(command, channel, error);
      observer.failed(error);
      return;
    } finally {
      this.#held -= 1;
    }
    this.publisher.publish(...message);
  }
}
