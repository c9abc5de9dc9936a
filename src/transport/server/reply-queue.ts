import type { WritePacket } from '@nestjs/microservices';
import type { PublishObserver } from '../../pubsub/common/publish-options.js';
import { isPromiseLike } from '../../util/promises.js';
import type { ReplyPublisher, ReplyAddress } from './reply-publisher.js';
import type { EncodedFrame } from '../wire/frame.js';

export interface ReplyQueueListener {
  /** A reply has reached Redis and this many receivers. */
  sent(receivers: number): void;
  /** A reply was not sent. */
  failed(error: unknown, at: 'encoding' | 'publishing'): void;
  /** The queue is empty, and everything sent is confirmed. */
  drained(): void;
}

/**
 * The replies to one request, in order. They are not awaited one by one: the engine guarantees the order per channel.
 *
 * @internal
 */
export class ReplyQueue implements PublishObserver {
  #waiting: WritePacket[] = [];
  #flushing = false;
  #unconfirmed = 0;

  constructor(
    private readonly replies: ReplyPublisher,
    private readonly to: ReplyAddress,
    private readonly route: string,
    private readonly id: string | number,
    private readonly listener: ReplyQueueListener,
  ) {}

  get isDrained(): boolean {
    return !this.#flushing && this.#unconfirmed === 0;
  }

  /** The last reply, unless it has been sent. */
  get last(): WritePacket | undefined {
    return this.#waiting.at(-1);
  }

  /** Sends at the end of this tick, so that the end of the stream can still be added to the last value. */
  push(packet: WritePacket): void {
    this.#waiting.push(packet);
    if (!this.#flushing) {
      this.#flushing = true;
      process.nextTick(flush, this);
    }
  }

  /** Sends at once, after the replies that wait. */
  pushNow(packet: WritePacket): void {
    this.#waiting.push(packet);
    if (!this.#flushing) {
      this.#flushing = true;
      this.flush();
    }
  }

  /** Drops the replies that wait. */
  clear(): void {
    this.#waiting = [];
  }

  /** @internal */
  flush(): void {
    for (let packet = this.#waiting.shift(); packet !== undefined; packet = this.#waiting.shift()) {
      try {
        const frame = this.replies.encode(
          this.to,
          this.route,
          Object.assign(packet, { id: this.id as string }),
        );
        if (isPromiseLike(frame)) {
          // The replies that follow wait for it, to keep the order.
          const final = packet.isDisposed === true;
          frame
            .then((encoded) => this.#publish(encoded, final))
            .then(undefined, (error: unknown) => this.listener.failed(error, 'encoding'))
            .then(() => this.flush());
          return;
        }
        this.#publish(frame, packet.isDisposed === true);
      } catch (error) {
        this.listener.failed(error, 'encoding');
      }
    }
    this.#flushing = false;
    this.#notifyIfDrained();
  }

  #publish(frame: EncodedFrame, final: boolean): void {
    this.#unconfirmed++;
    this.replies.publish(this.to, frame, final, this);
  }

  /** Called by the engine. */
  published(receivers: number): void {
    this.#unconfirmed--;
    this.listener.sent(receivers);
    this.#notifyIfDrained();
  }

  /** Called by the engine. */
  failed(error: unknown): void {
    this.#unconfirmed--;
    this.listener.failed(error, 'publishing');
    this.#notifyIfDrained();
  }

  #notifyIfDrained(): void {
    if (this.isDrained) {
      this.listener.drained();
    }
  }
}

/** Not a closure: it would be one for every value. */
function flush(queue: ReplyQueue): void {
  queue.flush();
}
