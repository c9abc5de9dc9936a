import type { ConsumerSerializer, PacketId, WritePacket } from '@nestjs/microservices';
import { PayloadTooLargeError } from './errors.js';
import type { Engine } from './engine-events.js';
import type { FrameOptions } from './options.js';
import { isPromiseLike } from './promise-like.js';
import { encodeFrame, encodeSignal, encodeStock, oversize, type WireFields } from './wire.js';

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
export class Replies {
  constructor(
    private readonly engine: Engine,
    private readonly serializer: ConsumerSerializer,
    private readonly options: FrameOptions,
  ) {}

  /**
   * @throws {PayloadTooLargeError}, or what the serializer throws; a promise where the serializer gives one.
   */
  encode(
    to: ReplyAddress,
    route: string,
    packet: WritePacket & PacketId,
    fields?: WireFields,
  ): string | Buffer | PromiseLike<string | Buffer> {
    const { maxPayload, sequence } = this.options;
    const finish = (serialized: unknown): string | Buffer => {
      const frame = to.stock ? encodeStock(serialized) : encodeFrame(serialized, fields, sequence);
      const size = oversize(frame, maxPayload);
      if (size !== undefined) {
        throw new PayloadTooLargeError(route, size, maxPayload);
      }
      return frame;
    };
    const serialized: unknown = this.serializer.serialize(packet);
    return isPromiseLike(serialized) ? serialized.then(finish) : finish(serialized);
  }

  /**
   * Resolves to how many took it. A zero may be a mistake, see {@link isGone}; not so of a `final` reply, of which the
   * asker drops a second copy, so that it may be sent again.
   */
  publish(to: ReplyAddress, frame: string | Buffer, final: boolean): Promise<number> {
    const options = { verifyZero: final && !to.stock };
    return to.kind === 'shard'
      ? this.engine.spublish(to.channel, frame, options)
      : this.engine.publish(to.channel, frame, options);
  }

  /**
   * Whether nobody listens at the address, on the word of the slot's master. Asked with a signal that may arrive
   * twice: a value of a stream may not.
   */
  async isGone(to: ReplyAddress): Promise<boolean> {
    const signal = encodeSignal({ k: 1 });
    const receivers = await (to.kind === 'shard'
      ? this.engine.spublish(to.channel, signal, { verifyZero: true })
      : this.engine.publish(to.channel, signal, { verifyZero: true }));
    return receivers === 0;
  }
}
