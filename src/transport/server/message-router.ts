import type { ConsumerDeserializer } from '@nestjs/microservices';
import type { DataMessage, MessageHandler } from '../../pubsub/common/messages.js';
import type { InFlightHandlers } from './in-flight-handlers.js';
import { type Requester, Requesters } from './requesters.js';
import { type ChannelNames, isInbox, isReserved } from '../wire/channel-names.js';
import { NO_MESSAGE_HANDLER } from '../common/constants.js';
import { ClusterPubSubContext, type HandledType } from '../common/cluster-pubsub.context.js';
import { EventExecution } from './event-execution.js';
import type { HandlerMetrics } from '../telemetry/handler-metrics.js';
import type { MalformedMessageLog } from '../telemetry/malformed-message-log.js';
import type { ProcessingHooks } from './processing-hooks.js';
import { isPromiseLike } from '../../util/promises.js';
import type { ReplyPublisher, ReplyAddress } from './reply-publisher.js';
import type { HandlerSubscription } from './handler-subscriptions.js';
import { type RequestId, RequestExecution } from './request-execution.js';
import { decodeFrame } from '../wire/frame.js';
import { NO_FIELDS, type WireFields } from '../wire/frame-fields.js';

/** Ours have a handful of characters, stock Nest's 21. */
const LONGEST_ID = 128;

/** What the receiver of a server works with. */
export interface MessageRouterDeps {
  readonly deserializer: ConsumerDeserializer;
  readonly replies: ReplyPublisher;
  readonly hooks: ProcessingHooks;
  readonly handlings: HandlerMetrics;
  readonly work: InFlightHandlers;
  readonly malformed: MalformedMessageLog;
  readonly names: ChannelNames;
  /** The channels on which exact request handlers listen. */
  readonly requestChannels: ReadonlySet<string>;
  /** A problem of a handler, or of a reply. */
  log(route: string, problem: string, error: unknown): void;
  warn(line: string): void;
}

/** A packet as the deserializer gave it. */
interface IncomingPacket {
  readonly id?: unknown;
  readonly pattern?: unknown;
  readonly data?: unknown;
}

/** What is known of a message besides its packet. */
interface Arrival {
  readonly lane: HandlerSubscription;
  readonly channel: string;
  readonly node: string;
  readonly fields: WireFields;
  /** In bytes. */
  readonly size: number;
  /** What arrived is no packet of Nest's: some other program published it. */
  readonly foreign: boolean;
}

/**
 * Takes what arrives at a server's subscriptions, tells requests from events, and starts their handlers.
 *
 * @internal
 */
export class MessageRouter {
  /** Once false, nothing is handled any more. */
  accepting = true;
  readonly #askers = new Requesters();
  readonly #ofRequests;
  readonly #ofEvents;

  constructor(private readonly parts: MessageRouterDeps) {
    const { replies, hooks, handlings, work } = parts;
    const log = (route: string, problem: string, error: unknown): void => parts.log(route, problem, error);
    this.#ofEvents = { hooks, handlings, log, over: (run: EventExecution): void => work.delete(run) };
    this.#ofRequests = {
      replies,
      hooks,
      handlings,
      log,
      over: (request: RequestExecution): void => {
        work.delete(request);
        request.asker?.running.delete(String(request.id));
      },
    };
  }

  listenerOf(subscription: HandlerSubscription): MessageHandler<'buffer'> {
    return (message, node) => this.#receive(subscription, message, node);
  }

  #receive(lane: HandlerSubscription, message: DataMessage<'buffer'>, node: string): void {
    if (!this.accepting) {
      return;
    }
    const { names, deserializer } = this.parts;
    if (lane.nodes !== undefined) {
      this.#notification(lane, message, node);
      return;
    }
    const name = lane.kind === 'pattern' ? message.channel.toString() : lane.name;
    // Handlers are told the channel of the pattern, whichever way a request came.
    const channel = lane.requestsOnly ? names.ofRequest(name) : name;
    const size = message.data.length;
    const frame = decodeFrame(message.data);
    if (frame === undefined) {
      this.parts.malformed.report(channel, size);
      return;
    }
    const { fields, packet } = frame;
    if (fields.x !== undefined) {
      if (fields.r !== undefined && isInbox(fields.r) && isId(fields.x)) {
        this.#cancel(this.#askers.at(fields.r), fields.x);
      }
      return;
    }
    if (lane.kind === 'pattern' && fields.r === undefined && isNotForWildcards(name, packet)) {
      return;
    }
    const arrival: Arrival = { lane, channel, node, fields, size, foreign: !isPacket(packet) };
    let deserialized: unknown;
    try {
      deserialized = deserializer.deserialize(packet, { channel });
    } catch {
      this.parts.malformed.report(channel, size);
      return;
    }
    if (isPromiseLike(deserialized)) {
      deserialized.then(
        (later) => this.#dispatch(arrival, later),
        () => this.parts.malformed.report(channel, size),
      );
    } else {
      this.#dispatch(arrival, deserialized);
    }
  }

  #dispatch(arrival: Arrival, deserialized: unknown): void {
    if (!this.accepting) {
      return;
    }
    if (typeof deserialized !== 'object' || deserialized === null) {
      this.parts.malformed.report(arrival.channel, arrival.size);
      return;
    }
    const packet: IncomingPacket = deserialized;
    const { r: replyTo } = arrival.fields;
    const isRequest = replyTo !== undefined || (packet.id !== undefined && packet.pattern !== undefined);
    if (!isRequest) {
      this.#event(arrival, packet);
    } else if (!isId(packet.id) || (replyTo !== undefined && !isInbox(replyTo))) {
      // It would have us publish wherever its sender likes, or remember whatever it likes.
      this.parts.malformed.report(arrival.channel, arrival.size);
    } else if (replyTo !== undefined) {
      this.#requestOfOurs(arrival, replyTo, packet);
    } else {
      this.#requestOfStock(arrival, packet);
    }
  }

  #requestOfOurs(arrival: Arrival, replyTo: string, packet: IncomingPacket): void {
    const { lane, fields } = arrival;
    const asker = this.#askers.at(replyTo);
    const to = asker.address(fields.c === 1 ? 'channel' : 'shard');
    const id = String(packet.id);
    if (lane.request === undefined || (lane.kind === 'pattern' && !lane.requestsOnly)) {
      // Redis has counted us, so that the asker would wait for us. Said once for each subscription, as it counts.
      if (asker.noHandlerReportedAt(lane.name).isFirst(id)) {
        this.#decline(lane, to, packet.id, { n: 1 });
      }
    } else if (asker.seen.isFirst(id)) {
      const request = new RequestExecution(asker, packet.id as RequestId, lane.route, to, this.#ofRequests);
      asker.running.set(id, request);
      this.parts.handlings.requests++;
      this.parts.work.add(request);
      request.start(lane.request, packet.data, contextOf(arrival, packet, 'request'));
    }
  }

  /** Of Nest's own Redis client, which waits on the channel with `.reply` after it. */
  #requestOfStock(arrival: Arrival, packet: IncomingPacket): void {
    const { lane, channel } = arrival;
    const to: ReplyAddress = { kind: 'channel', channel: `${channel}.reply`, stock: true };
    if (lane.request !== undefined) {
      // Where there is an exact handler too, it gets the request by its own subscription.
      if (lane.kind !== 'pattern' || !this.parts.requestChannels.has(channel)) {
        const request = new RequestExecution(
          undefined,
          packet.id as RequestId,
          lane.route,
          to,
          this.#ofRequests,
        );
        this.parts.handlings.requests++;
        this.parts.work.add(request);
        request.start(lane.request, packet.data, contextOf(arrival, packet, 'request'));
      }
    } else if (lane.kind === 'channel') {
      this.#decline(lane, to, packet.id);
    }
  }

  #event(arrival: Arrival, packet: IncomingPacket): void {
    const { lane } = arrival;
    for (const handler of lane.events) {
      const run = new EventExecution(lane.route, this.#ofEvents);
      this.parts.handlings.events++;
      this.parts.work.add(run);
      run.start(handler, packet.data, contextOf(arrival, packet, 'event'));
    }
    if (lane.events.length > 0) {
      return;
    }
    if (arrival.foreign) {
      // To an event handler it would be data; a message handler cannot make anything of it.
      this.parts.malformed.report(arrival.channel, arrival.size);
    } else if (!lane.warned) {
      lane.warned = true;
      this.parts.warn(
        `An event came for "${lane.route}", which has a message handler only. More of them are dropped quietly.`,
      );
    }
  }

  /** What Redis tells of its keys: the data is a name, to be handed on as it is, also where it looks like JSON. */
  #notification(lane: HandlerSubscription, message: DataMessage<'buffer'>, node: string): void {
    const channel = message.channel.toString();
    const data = message.data.toString();
    const arrival = { lane, channel, node, fields: NO_FIELDS, size: message.data.length, foreign: true };
    this.#event(arrival, { pattern: channel, data });
  }

  #cancel(asker: Requester, id: string): void {
    const request = asker.running.get(id);
    if (request === undefined) {
      // It may still be with an asynchronous deserializer: then it shall pass for a second copy.
      asker.seen.isFirst(id);
    } else {
      request.stop();
    }
  }

  #decline(lane: HandlerSubscription, to: ReplyAddress, id: unknown, fields?: WireFields): void {
    const { replies } = this.parts;
    this.parts.handlings.noHandler++;
    const packet = { id: id as string, status: 'error', err: NO_MESSAGE_HANDLER };
    const failed = (error: unknown): void => this.parts.log(lane.route, 'An answer was not sent', error);
    const observer = { published: (): void => undefined, failed };
    try {
      const frame = replies.encode(to, lane.route, packet, fields);
      if (isPromiseLike(frame)) {
        frame.then((encoded) => replies.publish(to, encoded, false, observer)).then(undefined, failed);
      } else {
        replies.publish(to, frame, false, observer);
      }
    } catch (error) {
      failed(error);
    }
  }
}

/** What may be remembered, and turned into a string without surprises. */
function isId(id: unknown): id is string | number {
  return typeof id === 'number' || (typeof id === 'string' && id.length <= LONGEST_ID);
}

function contextOf(
  { channel, lane, node, fields }: Arrival,
  packet: IncomingPacket,
  type: HandledType,
): ClusterPubSubContext {
  const context = new ClusterPubSubContext([channel, lane.route, node, fields.h, packet]);
  context.handledAs = type;
  return context;
}

/** By the rule of Nest's own request deserializer. */
function isPacket(packet: unknown): boolean {
  const { pattern, data } = (packet ?? {}) as { pattern?: unknown; data?: unknown };
  return pattern !== undefined || data !== undefined;
}

/**
 * What a pattern subscription gets but nobody wants: our own channels, and the replies of stock Nest servers, which
 * answer `order.created` on `order.created.reply`.
 */
function isNotForWildcards(channel: string, packet: unknown): boolean {
  if (isReserved(channel)) {
    return true;
  }
  if (!channel.endsWith('.reply') || typeof packet !== 'object' || packet === null) {
    return false;
  }
  const { id, response, err, isDisposed } = packet as Record<string, unknown>;
  return id !== undefined && (response !== undefined || err !== undefined || isDisposed !== undefined);
}
