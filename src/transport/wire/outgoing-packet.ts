import type { ReadPacket } from '@nestjs/microservices';
import { PayloadTooLargeError } from '../common/errors.js';
import type { PubSubMode } from '../common/options.js';
import { isRecord } from '../common/cluster-pubsub.record-builder.js';
import { encodeFrame, oversize, type EncodedFrame, type FrameTrailer } from './frame.js';

/** What a packet to be sent says about itself. */
export interface OutgoingPacket {
  readonly route: string;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly mode?: PubSubMode | undefined;
  readonly timeout?: number | undefined;
}

/**
 * Takes a record apart. The packet keeps what shall travel in it: the data, and a pattern that JSON can hold.
 *
 * @internal
 */
export function unpackRecord(packet: ReadPacket<unknown>, route: string): OutgoingPacket {
  if (typeof packet.pattern === 'symbol') {
    packet.pattern = route;
  }
  if (!isRecord(packet.data)) {
    return { route };
  }
  const { data, headers, mode, timeout } = packet.data;
  packet.data = data;
  return { route, headers, mode, timeout };
}

/**
 * @internal
 * @throws {PayloadTooLargeError} when the frame has more bytes than `maxPayload`.
 */
export function encodeWithin(
  maxPayload: number,
  route: string,
  serialized: unknown,
  end: FrameTrailer,
): EncodedFrame {
  const frame = encodeFrame(serialized, end);
  assertWithin(maxPayload, route, frame);
  return frame;
}

/**
 * @internal
 * @throws {PayloadTooLargeError} when the frame has more bytes than `maxPayload`.
 */
export function assertWithin(maxPayload: number, route: string, frame: EncodedFrame): void {
  const size = oversize(frame, maxPayload);
  if (size !== undefined) {
    throw new PayloadTooLargeError(route, size, maxPayload);
  }
}
