import type { LoggerService } from '@nestjs/common';
import type { MsPattern, ProducerSerializer, ReadPacket } from '@nestjs/microservices';
import type { PublishObserver } from '../../pubsub/common/publish-options.js';
import { errorLogText } from '../../util/error-message.js';
import { type Batch, isPromiseLike } from '../../util/promises.js';
import { type UnpackedPacket, unpackPacket } from '../common/cluster-pubsub.record-builder.js';
import type { PubSubMode, ResolvedOptions } from '../common/options.js';
import type { TransportEngine } from '../connection/create-engine.js';
import { RateLimitedLog } from '../telemetry/rate-limited-log.js';
import type { ChannelNames } from '../wire/channel-names.js';
import { encodeFrameWithin } from '../wire/frame.js';
import { FrameTrailer } from '../wire/frame-trailer.js';
import { EmitResult } from './emit-result.js';

export interface EventSenderDeps {
  readonly options: ResolvedOptions;
  readonly names: ChannelNames;
  readonly serializer: ProducerSerializer;
  /** Normalizes a pattern. Throws if it cannot be a channel name. */
  routeOf(pattern: MsPattern): string;
  readonly logger: Pick<LoggerService, 'error' | 'warn'>;
}

/**
 * Publishes the events of a client.
 *
 * @internal
 */
export class EventSender {
  /** The end of each frame without headers. */
  readonly #trailer: FrameTrailer;
  readonly #failures = new RateLimitedLog((line) => void this.deps.logger.error(line));
  #warnedOfFallback = false;

  constructor(private readonly deps: EventSenderDeps) {
    this.#trailer = new FrameTrailer(undefined, deps.options.sequence);
  }

  /** The result of an event that is to be sent, which logs a failure if the result is not subscribed to. */
  newResult<T>(batch: Batch | undefined): EmitResult<T> {
    return new EmitResult(this.#logFailure, batch);
  }

  /** Throws if the packet cannot be sent; everything later is reported to the observer. */
  send(engine: TransportEngine, packet: ReadPacket, observer: PublishObserver): void {
    const unpacked = unpackPacket(packet, this.deps.routeOf(packet.pattern as MsPattern));
    const serialized: unknown = this.deps.serializer.serialize(packet);
    // Awaited only if needed: events are published in the order of the calls.
    if (isPromiseLike(serialized)) {
      serialized
        .then((later) => this.#publish(engine, unpacked, later, observer))
        .then(undefined, (error: unknown) => observer.failed(error));
    } else {
      this.#publish(engine, unpacked, serialized, observer);
    }
  }

  #publish(
    engine: TransportEngine,
    { route, headers, mode = this.deps.options.mode }: UnpackedPacket,
    serialized: unknown,
    observer: PublishObserver,
  ): void {
    const { names, options } = this.deps;
    const trailer = headers === undefined ? this.#trailer : this.#trailer.with({ h: headers });
    const frame = encodeFrameWithin(options.maxPayload, route, serialized, trailer);
    const command = this.#isSharded(mode, engine) ? 'SPUBLISH' : 'PUBLISH';
    engine.publishWithObserver(command, names.channel(route), frame, observer);
  }

  readonly #logFailure = (error: unknown): void =>
    this.#failures.log(`Failed to publish event (emit() was not subscribed to): ${errorLogText(error)}`);

  #isSharded(mode: PubSubMode, engine: TransportEngine): boolean {
    if (mode === 'classic' || engine.supportsSharded) {
      return mode === 'sharded';
    }
    if (!this.#warnedOfFallback) {
      this.#warnedOfFallback = true;
      this.deps.logger.warn('Sharded pub/sub requires Redis 7.0; falling back to classic mode.');
    }
    return false;
  }
}
