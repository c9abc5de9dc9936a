import type { ConsumerSerializer, PacketId, WritePacket } from '@nestjs/microservices';
import type { PublishCommand, PublishObserver } from '../../pubsub/common/publish-options.js';
import type { Engine } from '../connection/engine-events.js';
import type { FrameOptions } from '../common/options.js';
import { isPromiseLike } from '../../util/promises.js';
import { assertWithin, encodeWithin } from '../wire/outgoing-packet.js';
import { encodeSignal, encodeStock, FrameTrailer, type EncodedFrame } from '../wire/frame.js';
import type { WireFields } from '../wire/frame-fields.js';

/** Where a reply goes. */
export interface ReplyAddress {
  readonly kind: 'shard' | 'channel';
  readonly channel: string;
  /** The asker is a stock Nest client: it takes Nest's own form only. */
  readonly stock: boolean;
}

/**
 * Encodes and publishes replies.
 *
 * @internal
 */
export class ReplyPublisher {
  readonly #end: FrameTrailer;

  constructor(
    private readonly engine: Engine,
    private readonly serializer: ConsumerSerializer,
    private readonly options: FrameOptions,
  ) {
    this.#end = new FrameTrailer(undefined, options.sequence);
  }

  /**
   * @throws {PayloadTooLargeError}, or what the serializer throws; a promise where the serializer gives one.
   */
  encode(
    to: ReplyAddress,
    route: string,
    packet: WritePacket & PacketId,
    fields?: WireFields,
  ): EncodedFrame | PromiseLike<EncodedFrame> {
    const serialized: unknown = this.serializer.serialize(packet);
    return isPromiseLike(serialized)
      ? serialized.then((later) => this.#finish(to, route, later, fields))
      : this.#finish(to, route, serialized, fields);
  }

  #finish(
    to: ReplyAddress,
    route: string,
    serialized: unknown,
    fields: WireFields | undefined,
  ): EncodedFrame {
    if (!to.stock) {
      const end = fields === undefined ? this.#end : this.#end.with(fields);
      return encodeWithin(this.options.maxPayload, route, serialized, end);
    }
    const frame = encodeStock(serialized);
    assertWithin(this.options.maxPayload, route, frame);
    return frame;
  }

  /**
   * Tells the observer how many took it. A zero may be a mistake, see {@link isGone}; not so of a `final` reply, of which
   * the asker drops a second copy, so that it may be sent again.
   */
  publish(to: ReplyAddress, frame: EncodedFrame, final: boolean, observer: PublishObserver): void {
    this.engine.publishWithObserver(
      commandTo(to),
      to.channel,
      frame,
      observer,
      final && !to.stock ? VERIFIED : undefined,
    );
  }

  /**
   * Whether nobody listens at the address, on the word of the slot's master. Asked with a signal that may arrive
   * twice: a value of a stream may not.
   */
  async isGone(to: ReplyAddress): Promise<boolean> {
    const receivers = await new Promise<number>((published, failed) => {
      const observer = { published, failed };
      this.engine.publishWithObserver(commandTo(to), to.channel, encodeSignal({ k: 1 }), observer, VERIFIED);
    });
    return receivers === 0;
  }
}

const VERIFIED = { verifyZero: true } as const;

function commandTo({ kind }: ReplyAddress): PublishCommand {
  return kind === 'shard' ? 'SPUBLISH' : 'PUBLISH';
}
