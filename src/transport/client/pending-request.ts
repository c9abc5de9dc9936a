import type { WritePacket } from '@nestjs/microservices';
import type { PublishCommand, PublishObserver, PublishOptions } from '../../pubsub/common/publish-options.js';
import { Timed } from './request-timeouts.js';
import type { ReplyInbox } from './reply-inboxes.js';
import type { EncodedFrame } from '../wire/frame.js';

/** Where a request is published. */
export interface RequestChannel {
  readonly command: PublishCommand;
  readonly channel: string;
  /** Handlers are reached by pattern subscriptions, which all sit with one master. */
  readonly wildcard: boolean;
  readonly options: PublishOptions;
}

/** Who moves a {@link PendingRequest} through its states. */
export interface PendingRequestListener {
  /** So many servers got it. */
  counted(call: PendingRequest, receivers: number): void;
  fail(call: PendingRequest, error: unknown): void;
}

/**
 * The life of a request at the asker:
 *
 * - `preparing`: not published; it is being serialized, or its inbox does not stand yet.
 * - `publishing`: written to `lanes[lane]`; how many servers got it is not known yet.
 * - `waiting`: `receivers` servers got it.
 * - `done`: answered, failed or left. Nothing about it counts any more.
 *
 * @internal
 */
export class PendingRequest extends Timed implements PublishObserver {
  state: 'preparing' | 'publishing' | 'waiting' | 'done' = 'preparing';
  /** The lane in use. */
  channelIndex = 0;
  receivers = 0;
  /** How many of the receivers said that they have no request handler. */
  withoutHandler = 0;
  /** Whether a server, at least, has an event handler of exactly this pattern. */
  eventHandlerExists = false;
  answered = false;
  frame: EncodedFrame = '';

  constructor(
    readonly id: string,
    readonly route: string,
    /** Where to publish, one after the other until a server takes it. */
    readonly channels: readonly RequestChannel[],
    readonly inbox: ReplyInbox,
    /** In ms; 0: none. */
    readonly timeout: number,
    readonly callback: (packet: WritePacket) => void,
    private readonly keeper: PendingRequestListener,
  ) {
    super();
  }

  get isPublished(): boolean {
    return this.state === 'publishing' || this.state === 'waiting';
  }

  published(receivers: number): void {
    this.keeper.counted(this, receivers);
  }

  failed(error: unknown): void {
    this.keeper.fail(this, error);
  }
}
