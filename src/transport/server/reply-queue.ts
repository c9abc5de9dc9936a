import type { WritePacket } from '@nestjs/microservices';
import type { PublishObserver } from '../../pubsub/common/publish-options.js';
import { isPromiseLike } from '../../util/promises.js';
import type { ReplyPublisher, ReplyAddress } from './reply-publisher.js';
import type { EncodedFrame } from '../wire/frame.js';

/** Who the queue reports to. */
export interface ReplyQueueListener {
  /** A reply went out, and so many took it. */
  sent(receivers: number): void;
  /** A reply did not go out. */
  failed(error: unknown, at: 'encoding' | 'publishing'): void;
  /** Nothing waits, and all that went out is confirmed. */
  drained(): void;
}

/**
 * The replies to one request, in order. They are not awaited one by one: order per channel is the engine's promise.
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
    private readonly owner: ReplyQueueListener,
  ) {}

  get isDrained(): boolean {
    return !this.#flushing && this.#unconfirmed === 0;
  }

  /** The last reply, if it has not gone out yet. */
  get last(): WritePacket | undefined {
    return this.#waiting.at(-1);
  }

  /** Goes out with the next tick, so that what comes in this one can still be added to it. */
  push(packet: WritePacket): void {
    this.#waiting.push(packet);
    if (!this.#flushing) {
      this.#flushing = true;
      process.nextTick(flush, this);
    }
  }

  /** Goes out at once, after what waits. */
  pushNow(packet: WritePacket): void {
    this.#waiting.push(packet);
    if (!this.#flushing) {
      this.#flushing = true;
      this.flush();
    }
  }

  /** Forgets what waits. */
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
          // What follows waits for it, for the order's sake.
          const final = packet.isDisposed === true;
          frame
            .then((encoded) => this.#publish(encoded, final))
            .then(undefined, (error: unknown) => this.owner.failed(error, 'encoding'))
            .then(() => this.flush());
          return;
        }
        this.#publish(frame, packet.isDisposed === true);
      } catch (error) {
        this.owner.failed(error, 'encoding');
      }
    }
    this.#flushing = false;
    this.#tellWhenDrained();
  }

  #publish(frame: EncodedFrame, final: boolean): void {
    this.#unconfirmed++;
    this.replies.publish(this.to, frame, final, this);
  }

  /** Called by the engine: a reply has reached Redis. */
  published(receivers: number): void {
    this.#unconfirmed--;
    this.owner.sent(receivers);
    this.#tellWhenDrained();
  }

  /** Called by the engine. */
  failed(error: unknown): void {
    this.#unconfirmed--;
    this.owner.failed(error, 'publishing');
    this.#tellWhenDrained();
  }

  #tellWhenDrained(): void {
    if (this.isDrained) {
      this.owner.drained();
    }
  }
}

/** Not a closure, for there is one with every value. */
function flush(queue: ReplyQueue): void {
  queue.flush();
}
