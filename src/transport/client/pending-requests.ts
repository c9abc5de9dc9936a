import type {
  MsPattern,
  ProducerDeserializer,
  ProducerSerializer,
  ReadPacket,
  WritePacket,
} from '@nestjs/microservices';
import { GapError } from '../../pubsub/common/errors.js';
import type { DataMessage } from '../../pubsub/common/messages.js';
import { type Backlog, isPromiseLike } from '../../util/promises.js';
import { TimeoutQueue } from '../../util/timeout-queue.js';
import { unpackPacket } from '../common/cluster-pubsub.record-builder.js';
import { NO_MESSAGE_HANDLER } from '../common/constants.js';
import { NoSubscribersError, RequestTimeoutError } from '../common/errors.js';
import type { ResolvedOptions } from '../common/options.js';
import type { TransportEngine } from '../connection/create-engine.js';
import type { MalformedMessageLog } from '../telemetry/malformed-message-log.js';
import type { RequestCounters } from '../telemetry/metrics.js';
import type { ChannelNames } from '../wire/channel-names.js';
import { decodeFrame, encodeFrameWithin } from '../wire/frame.js';
import { InboxWaitQueue } from './inbox-wait-queue.js';
import { PendingRequest, type PendingRequestListener } from './pending-request.js';
import { type ReplyInbox, ReplyInboxes, type ReplyInboxListener } from './reply-inboxes.js';
import { RequestCanceller } from './request-canceller.js';
import { RequestRoutes } from './request-routes.js';

type Callback = (packet: WritePacket) => void;
type Headers = Readonly<Record<string, string>> | undefined;

export interface PendingRequestsDeps {
  readonly options: ResolvedOptions;
  readonly names: ChannelNames;
  readonly serializer: ProducerSerializer;
  readonly deserializer: ProducerDeserializer;
  readonly malformedLog: MalformedMessageLog;
  readonly counters: RequestCounters;
  /** Normalizes a pattern. Throws if it cannot be a channel name. */
  routeOf(pattern: MsPattern): string;
}

/** A reply as the deserializer returned it. */
interface Reply {
  readonly id?: unknown;
  readonly err?: unknown;
  readonly response?: unknown;
  readonly isDisposed?: unknown;
}

/**
 * The requests of one client connection that wait for a reply: sends them, matches replies to them, and calls their
 * callbacks as Nest's own clients do.
 *
 * @internal
 */
export class PendingRequests implements ReplyInboxListener, PendingRequestListener {
  readonly #pending = new Map<string, PendingRequest>();
  readonly #timeouts = new TimeoutQueue<PendingRequest>((request) => this.#expire(request));
  readonly #routes: RequestRoutes;
  readonly #inboxes: ReplyInboxes;
  readonly #waitQueue: InboxWaitQueue;
  readonly #canceller: RequestCanceller;
  /** Starts the ids of all requests, so that no other client, nor this one after a restart, uses the same ones. */
  readonly #idPrefix: string;
  #nextId = 0;

  constructor(
    private readonly engine: TransportEngine,
    clientId: string,
    private readonly deps: PendingRequestsDeps,
    private readonly backlog: Backlog,
  ) {
    const { names, options } = deps;
    this.#idPrefix = `${clientId}.`;
    this.#routes = new RequestRoutes(engine, names);
    this.#inboxes = new ReplyInboxes(engine, names, clientId, options.sequence, this);
    this.#waitQueue = new InboxWaitQueue(engine, options.connection, (request, error) =>
      this.fail(request, error),
    );
    this.#canceller = new RequestCanceller(engine);
  }

  get pendingCount(): number {
    return this.#pending.size;
  }

  /** How many wait for their reply inbox, and have not been published. */
  get unsentCount(): number {
    return this.#waitQueue.size;
  }

  /** Sends a request; its timeout starts now. @returns what cancels it. */
  send(packet: ReadPacket, callback: Callback): () => void {
    let request: PendingRequest;
    let headers: Headers;
    try {
      const outgoing = unpackPacket(packet, this.deps.routeOf(packet.pattern as MsPattern));
      headers = outgoing.headers;
      request = this.#open(outgoing.route, outgoing.timeout ?? this.deps.options.requestTimeout, callback);
    } catch (error) {
      return failUnopened(this.deps.counters, error, callback);
    }
    try {
      const serialized: unknown = this.deps.serializer.serialize(Object.assign(packet, { id: request.id }));
      if (isPromiseLike(serialized)) {
        serialized
          .then((later) => this.#encode(request, later, headers))
          .then(undefined, (error: unknown) => this.fail(request, error));
      } else {
        this.#encode(request, serialized, headers);
      }
    } catch (error) {
      this.fail(request, error);
    }
    return () => this.#cancel(request);
  }

  #open(pattern: string, timeout: number, callback: Callback): PendingRequest {
    const route = this.#routes.of(pattern);
    const inbox = this.#inboxes.for(route.channel);
    const request = new PendingRequest(
      this.#idPrefix + (this.#nextId++).toString(36),
      route,
      inbox,
      timeout,
      callback,
      this,
      this.backlog.enter(),
    );
    this.#pending.set(request.id, request);
    this.deps.counters.requests++;
    if (timeout !== 0) {
      this.#timeouts.start(request, timeout);
    }
    return request;
  }

  #encode(request: PendingRequest, serialized: unknown, headers: Headers): void {
    const { inbox, route } = request;
    const trailer = headers === undefined ? inbox.trailer : inbox.trailer.with({ h: headers });
    request.frame = encodeFrameWithin(this.deps.options.maxPayload, route.pattern, serialized, trailer);
    if (request.state === 'done') {
      return; // cancelled or expired while it was serialized
    }
    if (inbox.state === 'active') {
      this.#publish(request);
    } else if (inbox.state === 'refused') {
      this.fail(request, inbox.error);
    } else {
      this.#waitQueue.add(request);
    }
  }

  #publish(request: PendingRequest): void {
    request.become('publishing');
    const { command, channel, options } = request.target;
    this.engine.publishWithObserver(command, channel, request.frame, request, options);
  }

  requestPublished(request: PendingRequest, receivers: number): void {
    if (request.state === 'publishing') {
      request.become('waiting');
      request.receivers = receivers;
      if (receivers > 0) {
        request.leaveBacklog();
      }
      this.#checkReceivers(request);
    }
  }

  replyReceived(message: DataMessage<'buffer'>, inbox: ReplyInbox): void {
    const frame = decodeFrame(message.data);
    if (frame === undefined) {
      this.#reportMalformed(message, inbox);
      return;
    }
    const { fields, packet } = frame;
    if (fields.k === 1) {
      return; // a server checks that this client still exists
    }
    const hasHandler = fields.n !== 1;
    let reply: unknown;
    try {
      reply = this.deps.deserializer.deserialize(packet);
    } catch {
      this.#reportMalformed(message, inbox);
      return;
    }
    if (isPromiseLike(reply)) {
      reply.then(
        (later) => this.#accept(later, hasHandler, message, inbox),
        () => this.#reportMalformed(message, inbox),
      );
    } else {
      this.#accept(reply, hasHandler, message, inbox);
    }
  }

  #accept(reply: unknown, hasHandler: boolean, message: DataMessage<'buffer'>, inbox: ReplyInbox): void {
    if (typeof reply !== 'object' || reply === null) {
      this.#reportMalformed(message, inbox);
      return;
    }
    const request = this.#pending.get((reply as Reply).id as string);
    if (request === undefined) {
      return; // a duplicate, or a reply that arrived too late
    }
    inbox.noteReply(message.data);
    if (hasHandler) {
      this.#answer(request, reply);
    } else {
      // Counted only: another receiver may have a handler.
      request.withoutHandler++;
      this.#checkReceivers(request);
    }
  }

  #answer(request: PendingRequest, { err, response, isDisposed }: Reply): void {
    request.answered = true;
    if (isDisposed === true || Boolean(err)) {
      this.#finish(request);
      if (err) {
        this.deps.counters.errors++;
      }
      request.callback({ err, response, isDisposed: true });
      return;
    }
    if (request.timeout !== 0) {
      this.#timeouts.start(request, request.timeout);
    }
    request.callback({ err, response });
  }

  /** Moves on to the next target, or fails, once every receiver has reported that it has no handler. */
  #checkReceivers(request: PendingRequest): void {
    if (request.state !== 'waiting' || request.answered) {
      return;
    }
    const { route, target } = request;
    const isSharded = target.command === 'SPUBLISH';
    const isLast = target === route.wildcard;
    // On a classic channel, uncounted wildcard handlers elsewhere may report that they have no handler too.
    const withoutHandler = isSharded || isLast ? request.withoutHandler : 0;
    if (withoutHandler < request.receivers) {
      return;
    }
    request.eventHandlerExists ||= withoutHandler > 0 && !isLast;
    if (!isLast) {
      if (isSharded) {
        request.withoutHandler = 0;
      }
      request.target = route.wildcard;
      this.#publish(request);
    } else if (request.eventHandlerExists) {
      this.fail(request, NO_MESSAGE_HANDLER, 'errors');
    } else {
      this.fail(request, new NoSubscribersError(route.pattern), 'noSubscribers');
    }
  }

  #reportMalformed({ data }: DataMessage<'buffer'>, inbox: ReplyInbox): void {
    this.deps.malformedLog.report(inbox.name, data.length);
  }

  fail(request: PendingRequest, err: unknown, counter: keyof RequestCounters = 'failed'): void {
    if (request.state !== 'done') {
      this.#finish(request);
      this.deps.counters[counter]++;
      request.callback({ err });
    }
  }

  failAll(err: unknown): void {
    this.#timeouts.clear();
    for (const request of [...this.#pending.values()]) {
      this.fail(request, err);
    }
  }

  #cancel(request: PendingRequest): void {
    if (request.state === 'done') {
      return;
    }
    const { isPublished } = request;
    this.#finish(request);
    this.deps.counters.cancelled++;
    if (isPublished) {
      this.#canceller.cancel(request);
    }
  }

  #expire(request: PendingRequest): void {
    const { isPublished, route, timeout, inbox } = request;
    const cause = isPublished ? undefined : this.engine.failureOf(inbox.name);
    this.fail(request, new RequestTimeoutError(route.pattern, timeout, { cause }, isPublished), 'timeouts');
    if (isPublished) {
      this.#canceller.cancel(request);
    }
  }

  #finish(request: PendingRequest): void {
    if (request.state === 'preparing') {
      this.#waitQueue.delete(request);
    }
    request.become('done');
    request.leaveBacklog();
    this.#pending.delete(request.id);
    this.#timeouts.stop(request, request.timeout);
  }

  inboxActive(inbox: ReplyInbox): void {
    const unsent = this.#waitQueue.take(inbox);
    this.#canceller.inboxActive(inbox);
    for (const request of unsent) {
      if (request.state === 'preparing') {
        this.#publish(request);
      }
    }
  }

  inboxRefused(inbox: ReplyInbox): void {
    for (const request of this.#waitQueue.take(inbox)) {
      this.fail(request, inbox.error);
    }
  }

  inboxInterrupted(inbox: ReplyInbox): void {
    for (const request of [...this.#pending.values()]) {
      if (request.inbox === inbox && request.isPublished) {
        this.#canceller.cancelOnceActive(request);
        const error = new GapError(
          `The connection for the reply to "${request.route.pattern}" was lost before it came. The handler may have run.`,
        );
        this.fail(request, error, 'gaps');
      }
    }
  }
}

/**
 * Counts and fails a request that cannot even be opened.
 *
 * @internal
 * @returns what cancels it: nothing is left to cancel.
 */
export function failUnopened(counters: RequestCounters, err: unknown, callback: Callback): () => void {
  counters.requests++;
  counters.failed++;
  callback({ err });
  return () => undefined;
}
