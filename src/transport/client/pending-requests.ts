import type { WritePacket } from '@nestjs/microservices';
import { GapError } from '../../pubsub/common/errors.js';
import type { DataMessage } from '../../pubsub/common/messages.js';
import type { ChannelNames } from '../wire/channel-names.js';
import { NO_MESSAGE_HANDLER } from '../common/constants.js';
import { RequestTimeouts } from './request-timeouts.js';
import type { TransportEngine } from '../connection/create-engine.js';
import { NoSubscribersError, RequestTimeoutError } from '../common/errors.js';
import type { RequestTally } from '../telemetry/metrics.js';
import { type ReplyInbox, ReplyInboxes, type ReplyInboxListener } from './reply-inboxes.js';
import { PendingRequest, type PendingRequestListener, type RequestChannel } from './pending-request.js';
import { RequestRoutes } from './request-routes.js';
import { InboxWaitQueue, type InboxWaitLimits } from './inbox-wait-queue.js';
import { encodeSignal, type EncodedFrame, type FrameTrailer } from '../wire/frame.js';

/** In ms; doubled with each try. */
const FIRST_CANCEL_RETRY = 100;
const LAST_CANCEL_RETRY = 3_200;

/** A reply, as the deserializer gave it. */
export interface Reply {
  readonly id?: unknown;
  readonly err?: unknown;
  readonly response?: unknown;
  readonly isDisposed?: unknown;
}

/**
 * All requests of one client that wait for an answer. It moves each {@link PendingRequest} through its states, and calls
 * its callback the way Nest's own clients do.
 *
 * @internal
 */
export class PendingRequests implements ReplyInboxListener, PendingRequestListener {
  readonly #pending = new Map<string, PendingRequest>();
  readonly #deadlines = new RequestTimeouts<PendingRequest>((call) => this.#expire(call));
  readonly #routes: RequestRoutes;
  readonly #inboxes: ReplyInboxes;
  #nextId = 0;

  constructor(
    private readonly engine: TransportEngine,
    names: ChannelNames,
    clientId: string,
    sequence: boolean,
    private readonly limits: InboxWaitLimits,
    private readonly tally: RequestTally,
    /** Decodes a reply and gives it to {@link answer}. */
    readonly received: (message: DataMessage<'buffer'>, inbox: ReplyInbox) => void,
  ) {
    this.#routes = new RequestRoutes(engine, names);
    this.#inboxes = new ReplyInboxes(engine, names, clientId, sequence, this);
  }

  /** How many wait for an answer. */
  get pendingCount(): number {
    return this.#pending.size;
  }

  /** How many have not been published, for their inbox does not stand. */
  get unsentCount(): number {
    return this.#inboxes.waitingCount;
  }

  newInboxWaitQueue(inbox: string): InboxWaitQueue {
    return new InboxWaitQueue(
      this.limits,
      (call, error) => this.fail(call, error),
      () => this.engine.nodeOf(inbox),
    );
  }

  /** Opens a request; its time runs from now. Nothing is published before {@link send}. */
  open(route: string, timeout: number, callback: (packet: WritePacket) => void): PendingRequest {
    const id = (this.#nextId++).toString(36);
    const { channel, channels: lanes } = this.#routes.of(route);
    const call = new PendingRequest(id, route, lanes, this.#inboxes.for(channel), timeout, callback, this);
    this.#pending.set(id, call);
    this.tally.requests++;
    this.#deadlines.start(call, timeout);
    return call;
  }

  /** What the frame of a request must say, so that its reply finds back. */
  endOf({ inbox }: PendingRequest, headers: Readonly<Record<string, string>> | undefined): FrameTrailer {
    return headers === undefined ? inbox.end : inbox.end.with({ h: headers });
  }

  /** Publishes the frame of an open request, as soon as its inbox stands. */
  send(call: PendingRequest, frame: EncodedFrame): void {
    if (call.state === 'done') {
      return;
    }
    call.frame = frame;
    if (call.inbox.state === 'standing') {
      this.#publish(call);
    } else if (call.inbox.state === 'refused') {
      this.fail(call, call.inbox.error);
    } else {
      call.inbox.waiting.add(call);
    }
  }

  /** A reply of a server that has a handler. */
  answer(reply: Reply): void {
    const call = this.#pending.get(reply.id as string);
    if (call === undefined) {
      return; // a second copy, or an answer that came too late
    }
    call.answered = true;
    const { err, response, isDisposed } = reply;
    if (isDisposed === true || Boolean(err)) {
      this.#finish(call);
      if (err) {
        this.tally.errors++;
      }
      call.callback({ err, response, isDisposed: true });
      return;
    }
    this.#deadlines.start(call, call.timeout);
    call.callback({ err, response });
  }

  /** A server got the request but has no handler for it. Counted, for another one may have. */
  noHandler(id: unknown): void {
    const call = this.#pending.get(id as string);
    if (call !== undefined) {
      call.withoutHandler++;
      this.#judge(call);
    }
  }

  fail(call: PendingRequest, err: unknown, as: keyof RequestTally = 'failed'): void {
    if (call.state !== 'done') {
      this.#finish(call);
      this.tally[as]++;
      call.callback({ err });
    }
  }

  /** The asker has gone. A handler that may be running is told. */
  cancel(call: PendingRequest): void {
    const published = call.isPublished;
    if (call.state !== 'done') {
      this.#finish(call);
      this.tally.cancelled++;
    }
    if (published) {
      this.#cancel(call);
    }
  }

  failAll(err: unknown): void {
    this.#deadlines.clear();
    for (const call of [...this.#pending.values()]) {
      this.fail(call, err);
    }
  }

  active(inbox: ReplyInbox): void {
    const { waiting, orphans } = inbox;
    const ready = waiting.take();
    inbox.orphans = [];
    orphans.forEach((call) => this.#cancelOrphan(call, FIRST_CANCEL_RETRY));
    for (const call of ready) {
      if (call.state === 'preparing') {
        this.#publish(call);
      }
    }
  }

  refused(inbox: ReplyInbox): void {
    for (const call of inbox.waiting.take()) {
      this.fail(call, inbox.error);
    }
  }

  interrupted(inbox: ReplyInbox): void {
    for (const call of [...this.#pending.values()]) {
      if (call.inbox === inbox && call.isPublished) {
        // Its handler is told when the way there is open again.
        inbox.orphans.push(call);
        this.fail(
          call,
          new GapError(
            `The connection that would bring the answer to "${call.route}" was lost while it waited. The handler ` +
              `may have run.`,
          ),
          'gaps',
        );
      }
    }
  }

  #publish(call: PendingRequest): void {
    call.state = 'publishing';
    const { command, channel, options } = this.#laneOf(call);
    this.engine.publishWithObserver(command, channel, call.frame, call, options);
  }

  counted(call: PendingRequest, receivers: number): void {
    if (call.state === 'publishing') {
      call.state = 'waiting';
      call.receivers = receivers;
      this.#judge(call);
    }
  }

  /** Once all receivers have said that they have no handler, there is nothing to wait for on this lane. */
  #judge(call: PendingRequest): void {
    if (call.state !== 'waiting' || call.answered) {
      return;
    }
    const lane = this.#laneOf(call);
    // On a classic channel, wildcard handlers elsewhere get the request and may decline it without being counted.
    const declined = lane.command === 'SPUBLISH' || lane.wildcard ? call.withoutHandler : 0;
    if (declined < call.receivers) {
      return;
    }
    call.eventHandlerExists ||= declined > 0 && !lane.wildcard;
    if (call.channelIndex + 1 < call.channels.length) {
      call.channelIndex++;
      if (lane.command === 'SPUBLISH') {
        call.withoutHandler = 0;
      }
      this.#publish(call);
    } else if (call.eventHandlerExists) {
      this.fail(call, NO_MESSAGE_HANDLER, 'errors');
    } else {
      this.fail(call, new NoSubscribersError(call.route), 'noSubscribers');
    }
  }

  #expire(call: PendingRequest): void {
    const published = call.isPublished;
    this.fail(call, new RequestTimeoutError(call.route, call.timeout, {}, published), 'timeouts');
    if (published) {
      this.#cancel(call);
    }
  }

  #finish(call: PendingRequest): void {
    call.state = 'done';
    this.#pending.delete(call.id);
    this.#deadlines.stop(call);
    call.inbox.waiting.delete(call);
  }

  #cancel(call: PendingRequest): void {
    // Best effort: where it does not arrive, its handler is gone, or will be when a reply finds nobody.
    this.#writeCancel(call, ignore);
  }

  /**
   * What cost us our inbox has cost the server its subscription, for they sit with the same master: the first cancel
   * may find nobody, although the handler still runs.
   */
  #cancelOrphan(call: PendingRequest, retryAfter: number): void {
    this.#writeCancel(call, (receivers) => {
      if (receivers === 0 && retryAfter <= LAST_CANCEL_RETRY) {
        setTimeout(() => this.#cancelOrphan(call, retryAfter * 2), retryAfter).unref();
      }
    });
  }

  #writeCancel(call: PendingRequest, published: (receivers: number) => void): void {
    const { command, channel, options } = this.#laneOf(call);
    const signal = encodeSignal({ x: call.id, r: call.inbox.name });
    this.engine.publishWithObserver(command, channel, signal, { published, failed: ignore }, options);
  }

  #laneOf(call: PendingRequest): RequestChannel {
    const lane = call.channels[call.channelIndex];
    if (lane === undefined) {
      throw new RangeError(`A request has no lane ${String(call.channelIndex)}.`);
    }
    return lane;
  }
}

function ignore(): void {}
