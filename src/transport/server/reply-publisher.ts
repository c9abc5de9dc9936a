import type { ConsumerSerializer, PacketId, WritePacket } from '@nestjs/microservices';
import type { PublishCommand, PublishObserver } from '../../pubsub/common/publish-options.js';
import type { TransportEngine } from '../connection/create-engine.js';
import type { FrameOptions } from '../common/options.js';
import { isPromiseLike } from '../../util/promises.js';
import {
  assertFrameSize,
  encodeFrameWithin,
  encodeSignal,
  encodeStock,
  type EncodedFrame,
} from '../wire/frame.js';
import { FrameTrailer } from '../wire/frame-trailer.js';
import type { WireFields } from '../wire/frame-fields.js';

/** The destination of a reply. */
export interface ReplyAddress {
  readonly kind: 'shard' | 'channel';
  readonly channel: string;
  /** The requester is a stock Nest client, which reads only Nest's own format. */
  readonly stock: boolean;
}

const VERIFY_ZERO = { verifyZero: true } as const;

/**
 * Encodes and publishes replies.
 *
 * @internal
 */
export class ReplyPublisher {
  readonly #trailer: FrameTrailer;

  constructor(
    private readonly engine: TransportEngine,
    private readonly serializer: ConsumerSerializer,
    private readonly options: FrameOptions,
  ) {
    this.#trailer = new FrameTrailer(undefined, options.sequence);
  }

  /**
   * Returns a promise if the serializer does.
   *
   * @throws {PayloadTooLargeError} or the error of the serializer.
   */
  encode(
    to: ReplyAddress,
    route: string,
    packet: WritePacket & PacketId,
    fields?: WireFields,
  ): EncodedFrame | PromiseLike<EncodedFrame> {
    const serialized: unknown = this.serializer.serialize(packet);
    return isPromiseLike(serialized)
      ? serialized.then((later) => this.#toFrame(to, route, later, fields))
      : this.#toFrame(to, route, serialized, fields);
  }

  #toFrame(
    to: ReplyAddress,
    route: string,
    serialized: unknown,
    fields: WireFields | undefined,
  ): EncodedFrame {
    if (!to.stock) {
      const trailer = fields === undefined ? this.#trailer : this.#trailer.with(fields);
      return encodeFrameWithin(this.options.maxPayload, route, serialized, trailer);
    }
    const frame = encodeStock(serialized);
    assertFrameSize(this.options.maxPayload, route, frame);
    return frame;
  }

  /**
   * Reports the number of receivers to the observer. A count of 0 may be wrong, see {@link isSubscribed}; that of a
   * `final` reply is verified by sending it again, since the requester drops the duplicate.
   */
  publish(to: ReplyAddress, frame: EncodedFrame, final: boolean, observer: PublishObserver): void {
    this.engine.publishWithObserver(
      commandTo(to),
      to.channel,
      frame,
      observer,
      final && !to.stock ? VERIFY_ZERO : undefined,
    );
  }

  /**
   * Whether anybody is subscribed to the address, according to the slot's master. Sends a signal, which may arrive
   * twice: a value of a stream may not.
   */
  async isSubscribed(to: ReplyAddress): Promise<boolean> {
    const receivers = await new Promise<number>((published, failed) => {
      const observer = { published, failed };
      this.engine.publishWithObserver(
        commandTo(to),
        to.channel,
        encodeSignal({ k: 1 }),
        observer,
        VERIFY_ZERO,
      );
    });
    return receivers > 0;
  }
}

function commandTo({ kind }: ReplyAddress): PublishCommand {
  return kind === 'shard' ? 'SPUBLISH' : 'PUBLISH';
}

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
