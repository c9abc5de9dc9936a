import type { WritePacket } from '@nestjs/microservices';
import type { Batch } from '../../util/promises.js';
import { type Transitions, transition } from '../../util/transitions.js';
import type { PublishObserver } from '../../pubsub/common/publish-options.js';
import type { EncodedFrame } from '../wire/frame.js';
import type { ReplyInbox } from './reply-inboxes.js';
import type { RequestChannel, RequestRoute } from './request-routes.js';

/** What a {@link PendingRequest} calls back when Redis has taken it, or has not. */
export interface PendingRequestListener {
  requestPublished(request: PendingRequest, receivers: number): void;
  fail(request: PendingRequest, error: unknown): void;
}

/**
 * - `preparing`: not published; it is being serialized, or its reply inbox is not active yet
 * - `publishing`: written to `target`; the number of receivers is not known yet
 * - `waiting`: `receivers` servers have received it; if none of them has a handler, it is published to the next target
 * - `done`: nothing that arrives for it counts any more
 */
type PendingRequestState = 'preparing' | 'publishing' | 'waiting' | 'done';

export const PENDING_REQUEST_TRANSITIONS: Transitions<PendingRequestState> = {
  preparing: ['publishing', 'done'],
  publishing: ['waiting', 'done'],
  waiting: ['publishing', 'done'],
  done: [],
};

/**
 * One request of this client, until it is answered, fails or is cancelled.
 *
 * @internal
 */
export class PendingRequest implements PublishObserver {
  #state: PendingRequestState = 'preparing';
  /** First the exact handlers of the route, then its wildcard handlers. */
  target: RequestChannel;
  frame: EncodedFrame = '';
  receivers = 0;
  /** How many of the receivers reported that they have no request handler. */
  withoutHandler = 0;
  /** True if at least one server has an event handler of exactly this pattern. */
  eventHandlerExists = false;
  answered = false;

  constructor(
    readonly id: string,
    readonly route: RequestRoute,
    readonly inbox: ReplyInbox,
    /** In ms; 0: none. */
    readonly timeout: number,
    readonly callback: (packet: WritePacket) => void,
    private readonly listener: PendingRequestListener,
    private batch: Batch | undefined,
  ) {
    this.target = route.exact;
  }

  /** It is out: some server has it, or it has ended. */
  leaveBacklog(): void {
    this.batch?.leave();
    this.batch = undefined;
  }

  get state(): PendingRequestState {
    return this.#state;
  }

  get isPublished(): boolean {
    return this.#state === 'publishing' || this.#state === 'waiting';
  }

  become(next: PendingRequestState): void {
    this.#state = transition('a pending request', PENDING_REQUEST_TRANSITIONS, this.#state, next);
  }

  published(receivers: number): void {
    this.listener.requestPublished(this, receivers);
  }

  failed(error: unknown): void {
    this.listener.fail(this, error);
  }
}
