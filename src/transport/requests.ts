import type { WritePacket } from '@nestjs/microservices';
import { GapError } from '../pubsub/errors.js';
import type { DataMessage } from '../pubsub/message.js';
import type { ChannelNames } from './channels.js';
import { NO_MESSAGE_HANDLER } from './constants.js';
import { Deadlines } from './deadlines.js';
import type { Engine } from './engine-events.js';
import { NoSubscribersError, RequestTimeoutError } from './errors.js';
import { type Inbox, Inboxes, type InboxOwner } from './inboxes.js';
import { RequestCall, type RequestLane } from './request-call.js';
import { encodeSignal, type WireFields } from './wire.js';

const OF_EXACT_HANDLERS = { verifyZero: true } as const;
const OF_WILDCARD_HANDLERS = { verifyZero: true, via: 'patterns' } as const;

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
 * All requests of one client that wait for an answer. It moves each {@link RequestCall} through its states, and calls
 * its callback the way Nest's own clients do.
 *
 * @internal
 */
export class Requests implements InboxOwner {
  readonly #pending = new Map<string, RequestCall>();
  readonly #deadlines = new Deadlines<RequestCall>((call) => this.#expire(call));
  readonly #inboxes: Inboxes;
  #nextId = 0;

  constructor(
    private readonly engine: Engine,
    private readonly names: ChannelNames,
    clientId: string,
    /** Decodes a reply and gives it to {@link answer}. */
    readonly received: (message: DataMessage<'buffer'>, inbox: Inbox) => void,
  ) {
    this.#inboxes = new Inboxes(engine, names, clientId, this);
  }

  /** How many wait for an answer. */
  get pendingCount(): number {
    return this.#pending.size;
  }

  /** Opens a request; its time runs from now. Nothing is published before {@link send}. */
  open(route: string, timeout: number, callback: (packet: WritePacket) => void): RequestCall {
    const id = (this.#nextId++).toString(36);
    const lanes = this.#lanesOf(route);
    const inbox = this.#inboxes.for(this.names.channel(route));
    const call = new RequestCall(id, route, lanes, inbox, timeout, callback);
    this.#pending.set(id, call);
    this.#deadlines.add(call, timeout);
    return call;
  }

  /** What the frame of a request must say, so that its reply finds back. */
  fieldsOf(call: RequestCall, headers: Readonly<Record<string, string>> | undefined): WireFields {
    const fields: WireFields = { r: call.inbox.name };
    if (!this.engine.supportsSharded) {
      fields.c = 1;
    }
    if (headers !== undefined) {
      fields.h = headers;
    }
    return fields;
  }

  /** Publishes the frame of an open request, as soon as its inbox stands. */
  send(call: RequestCall, frame: string | Buffer): void {
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
      call.callback({ err, response, isDisposed: true });
      return;
    }
    this.#deadlines.add(call, call.timeout);
    call.callback({ err, response });
  }

  /** A server got the request but has no handler for it. Counted, for another one may have. */
  declined(id: unknown): void {
    const call = this.#pending.get(id as string);
    if (call !== undefined) {
      call.withoutHandler++;
      this.#judge(call);
    }
  }

  fail(call: RequestCall, err: unknown): void {
    if (call.state !== 'done') {
      this.#finish(call);
      call.callback({ err });
    }
  }

  /** The asker has gone. A handler that may be running is told. */
  leave(call: RequestCall): void {
    const published = call.isPublished;
    if (call.state !== 'done') {
      this.#finish(call);
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

  stands(inbox: Inbox): void {
    const { waiting, orphans } = inbox;
    const ready = [...waiting];
    waiting.clear();
    inbox.orphans = [];
    orphans.forEach((call) => this.#cancelOrphan(call, FIRST_CANCEL_RETRY));
    ready.forEach((call) => this.#publish(call));
  }

  refused(inbox: Inbox): void {
    for (const call of [...inbox.waiting]) {
      this.fail(call, inbox.error);
    }
  }

  interrupted(inbox: Inbox): void {
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
        );
      }
    }
  }

  #lanesOf(route: string): RequestLane[] {
    const classic = this.names.request(route);
    const exact: RequestLane = this.engine.supportsSharded
      ? { kind: 'shard', channel: this.names.channel(route), wildcard: false }
      : { kind: 'channel', channel: classic, wildcard: false };
    return [exact, { kind: 'channel', channel: classic, wildcard: true }];
  }

  #publish(call: RequestCall): void {
    call.state = 'publishing';
    this.#write(this.#laneOf(call), call.frame).then(
      (receivers) => this.#counted(call, receivers),
      (error: unknown) => this.fail(call, error),
    );
  }

  #write(lane: RequestLane, frame: string | Buffer): Promise<number> {
    return lane.kind === 'shard'
      ? this.engine.spublish(lane.channel, frame, OF_EXACT_HANDLERS)
      : this.engine.publish(lane.channel, frame, lane.wildcard ? OF_WILDCARD_HANDLERS : OF_EXACT_HANDLERS);
  }

  #counted(call: RequestCall, receivers: number): void {
    if (call.state === 'publishing') {
      call.state = 'waiting';
      call.receivers = receivers;
      this.#judge(call);
    }
  }

  /** Once all receivers have said that they have no handler, there is nothing to wait for on this lane. */
  #judge(call: RequestCall): void {
    if (call.state !== 'waiting' || call.answered) {
      return;
    }
    const lane = this.#laneOf(call);
    // On a classic channel, wildcard handlers elsewhere get the request and may decline it without being counted.
    const declined = lane.kind === 'shard' || lane.wildcard ? call.withoutHandler : 0;
    if (declined < call.receivers) {
      return;
    }
    call.eventHandlerExists ||= declined > 0 && !lane.wildcard;
    if (call.lane + 1 < call.lanes.length) {
      call.lane++;
      if (lane.kind === 'shard') {
        call.withoutHandler = 0;
      }
      this.#publish(call);
    } else {
      this.fail(call, call.eventHandlerExists ? NO_MESSAGE_HANDLER : new NoSubscribersError(call.route));
    }
  }

  #expire(call: RequestCall): void {
    const published = call.isPublished;
    this.fail(call, new RequestTimeoutError(call.route, call.timeout));
    if (published) {
      this.#cancel(call);
    }
  }

  #finish(call: RequestCall): void {
    call.state = 'done';
    this.#pending.delete(call.id);
    this.#deadlines.delete(call, call.timeout);
    call.inbox.waiting.delete(call);
  }

  #cancel(call: RequestCall): void {
    // Best effort: where it does not arrive, its handler is gone, or will be when a reply finds nobody.
    this.#writeCancel(call).catch(() => undefined);
  }

  /**
   * What cost us our inbox has cost the server its subscription, for they sit with the same master: the first cancel
   * may find nobody, although the handler still runs.
   */
  #cancelOrphan(call: RequestCall, retryAfter: number): void {
    this.#writeCancel(call).then(
      (receivers) => {
        if (receivers === 0 && retryAfter <= LAST_CANCEL_RETRY) {
          setTimeout(() => this.#cancelOrphan(call, retryAfter * 2), retryAfter).unref();
        }
      },
      () => undefined,
    );
  }

  #writeCancel(call: RequestCall): Promise<number> {
    return this.#write(this.#laneOf(call), encodeSignal({ x: call.id, r: call.inbox.name }));
  }

  #laneOf(call: RequestCall): RequestLane {
    const lane = call.lanes[call.lane];
    if (lane === undefined) {
      throw new RangeError(`A request has no lane ${String(call.lane)}.`);
    }
    return lane;
  }
}
