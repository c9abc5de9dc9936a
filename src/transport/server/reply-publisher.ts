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
