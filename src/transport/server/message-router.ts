import type { ConsumerDeserializer } from '@nestjs/microservices';
import type { DataMessage, MessageHandler } from '../../pubsub/common/messages.js';
import { isPromiseLike } from '../../util/promises.js';
import { ClusterPubSubContext, type HandledType } from '../common/cluster-pubsub.context.js';
import { NO_MESSAGE_HANDLER } from '../common/constants.js';
import type { MalformedMessageLog } from '../telemetry/malformed-message-log.js';
import { type ChannelNames, isInbox, isReserved } from '../wire/channel-names.js';
import { decodeFrame } from '../wire/frame.js';
import { NO_FIELDS, type WireFields } from '../wire/frame-fields.js';
import { EventExecution } from './event-execution.js';
import type { HandlerSubscription } from './handler-subscriptions.js';
import type { ReplyAddress } from './reply-publisher.js';
import { RequestExecution, type RequestExecutionDeps, type RequestId } from './request-execution.js';
import { type Requester, Requesters } from './requesters.js';

/** Ours have a handful of characters, stock Nest's 21. */
const MAX_ID_LENGTH = 128;

export interface MessageRouterDeps extends RequestExecutionDeps {
  readonly deserializer: ConsumerDeserializer;
  readonly malformed: MalformedMessageLog;
  readonly names: ChannelNames;
  /** The channels that exact request handlers are subscribed to. */
  readonly requestChannels: ReadonlySet<string>;
  warn(line: string): void;
}

/** A packet as the deserializer returned it. */
interface IncomingPacket {
  readonly id?: unknown;
  readonly pattern?: unknown;
  readonly data?: unknown;
}

/** A message without its packet. */
interface Arrival {
  readonly subscription: HandlerSubscription;
  readonly channel: string;
  readonly node: string;
  readonly fields: WireFields;
  /** In bytes. */
  readonly size: number;
  /** Published by another program: not a packet of Nest's. */
  readonly foreign: boolean;
  /** The number under which the requester held it, if it was deserialized asynchronously. */
  readonly held?: number | undefined;
}

/**
 * Receives the messages of a server's subscriptions, tells requests from events, and starts their handlers.
 *
 * @internal
 */
export class MessageRouter {
  /** Once false, nothing more is handled. */
  accepting = true;
  readonly #requesters = new Requesters();

  constructor(private readonly deps: MessageRouterDeps) {}

  listenerOf(subscription: HandlerSubscription): MessageHandler<'buffer'> {
    return subscription.nodes === undefined
      ? (message, node) => this.#receive(subscription, message, node)
      : (message, node) => this.#receiveNotification(subscription, message, node);
  }

  #receive(subscription: HandlerSubscription, message: DataMessage<'buffer'>, node: string): void {
    if (!this.accepting) {
      return;
    }
    const { names, deserializer } = this.deps;
    const name = subscription.kind === 'pattern' ? message.channel.toString() : subscription.name;
    // Handlers get the channel of the pattern, whichever way a request came.
    const channel = subscription.requestsOnly ? names.ofRequest(name) : name;
    const size = message.data.length;
    const frame = decodeFrame(message.data);
    if (frame === undefined) {
      this.deps.malformed.report(channel, size);
      return;
    }
    const { fields, packet } = frame;
    if (fields.x !== undefined) {
      if (fields.r !== undefined && isInbox(fields.r) && isId(fields.x)) {
        this.#requesters.find(fields.r)?.cancel(fields.x);
      }
      return;
    }
    if (subscription.kind === 'pattern' && fields.r === undefined && isNotForWildcards(name, packet)) {
      return;
    }
    const arrival: Arrival = { subscription, channel, node, fields, size, foreign: !isPacket(packet) };
    let deserialized: unknown;
    try {
      deserialized = deserializer.deserialize(packet, { channel });
    } catch {
      this.deps.malformed.report(channel, size);
      return;
    }
    if (isPromiseLike(deserialized)) {
      this.#dispatchLater(arrival, deserialized);
    } else {
      this.#dispatch(arrival, deserialized);
    }
  }

  #dispatchLater(arrival: Arrival, deserialized: PromiseLike<unknown>): void {
    const { r: replyTo } = arrival.fields;
    const requester = replyTo !== undefined && isInbox(replyTo) ? this.#requesters.at(replyTo) : undefined;
    const held = requester?.hold();
    deserialized
      .then((later) => this.#dispatch({ ...arrival, held }, later))
      .then(undefined, () => this.deps.malformed.report(arrival.channel, arrival.size))
      .then(() => requester?.release());
  }

  /** From Redis itself: the data is a name, passed on as it is, even if it looks like JSON. */
  #receiveNotification(
    subscription: HandlerSubscription,
    message: DataMessage<'buffer'>,
    node: string,
  ): void {
    if (!this.accepting) {
      return;
    }
    const channel = message.channel.toString();
    const size = message.data.length;
    const arrival = { subscription, channel, node, fields: NO_FIELDS, size, foreign: true };
    this.#startEvent(arrival, { pattern: channel, data: message.data.toString() });
  }

  #dispatch(arrival: Arrival, deserialized: unknown): void {
    if (!this.accepting) {
      return;
    }
    if (typeof deserialized !== 'object' || deserialized === null) {
      this.deps.malformed.report(arrival.channel, arrival.size);
      return;
    }
    const packet: IncomingPacket = deserialized;
    const { r: replyTo } = arrival.fields;
    const isRequest = replyTo !== undefined || (packet.id !== undefined && packet.pattern !== undefined);
    if (!isRequest) {
      this.#startEvent(arrival, packet);
    } else if (!isId(packet.id) || (replyTo !== undefined && !isInbox(replyTo))) {
      // A forged packet: it would make us publish to any channel, or remember anything.
      this.deps.malformed.report(arrival.channel, arrival.size);
    } else if (replyTo !== undefined) {
      this.#dispatchRequest(arrival, replyTo, packet.id, packet);
    } else {
      this.#dispatchStockRequest(arrival, packet.id, packet);
    }
  }

  #dispatchRequest(arrival: Arrival, replyTo: string, packetId: RequestId, packet: IncomingPacket): void {
    const { subscription, fields } = arrival;
    const requester = this.#requesters.at(replyTo);
    const to = requester.address(fields.c === 1 ? 'channel' : 'shard');
    const id = String(packetId);
    if (
      subscription.request === undefined ||
      (subscription.kind === 'pattern' && !subscription.requestsOnly)
    ) {
      // Redis has counted us as a receiver, so the requester waits for us: once for each subscription, as Redis counts.
      if (requester.isFirstWithoutHandler(id, subscription.name)) {
        this.#replyNoHandler(subscription, to, packetId, { n: 1 });
      }
    } else if (requester.isFirst(id) && !requester.isCancelled(id, arrival.held)) {
      this.#startRequest(arrival, subscription.request, requester, to, packetId, packet);
    }
  }

  /** A request of Nest's own Redis client, which waits on the channel with the suffix `.reply`. */
  #dispatchStockRequest(arrival: Arrival, id: RequestId, packet: IncomingPacket): void {
    const { subscription, channel } = arrival;
    const to: ReplyAddress = { kind: 'channel', channel: `${channel}.reply`, stock: true };
    if (subscription.request !== undefined) {
      // An exact handler gets the request through a subscription of its own.
      if (subscription.kind !== 'pattern' || !this.deps.requestChannels.has(channel)) {
        this.#startRequest(arrival, subscription.request, undefined, to, id, packet);
      }
    } else if (subscription.kind === 'channel') {
      this.#replyNoHandler(subscription, to, id);
    }
  }

  #startRequest(
    arrival: Arrival,
    handler: NonNullable<HandlerSubscription['request']>,
    requester: Requester | undefined,
    to: ReplyAddress,
    id: RequestId,
    packet: IncomingPacket,
  ): void {
    const execution = new RequestExecution(requester, id, arrival.subscription.route, to, this.deps);
    requester?.running.set(String(id), execution);
    this.deps.metrics.requests++;
    execution.start(handler, packet.data, contextOf(arrival, packet, 'request'));
  }

  #startEvent(arrival: Arrival, packet: IncomingPacket): void {
    const { subscription } = arrival;
    for (const handler of subscription.events) {
      this.deps.metrics.events++;
      const execution = new EventExecution(subscription.route, this.deps);
      execution.start(handler, packet.data, contextOf(arrival, packet, 'event'));
    }
    if (subscription.events.length > 0) {
      return;
    }
    if (arrival.foreign) {
      // For an event handler it would be data; a request handler cannot be called with it.
      this.deps.malformed.report(arrival.channel, arrival.size);
    } else if (!subscription.warned) {
      subscription.warned = true;
      this.deps.warn(
        `Dropped event "${subscription.route}": only a @MessagePattern handler is registered. ` +
          'Further events for it are dropped silently.',
      );
    }
  }

  #replyNoHandler(
    subscription: HandlerSubscription,
    to: ReplyAddress,
    id: RequestId,
    fields?: WireFields,
  ): void {
    const { replies } = this.deps;
    const { route } = subscription;
    this.deps.metrics.noHandler++;
    const packet = { id: id as string, status: 'error', err: NO_MESSAGE_HANDLER };
    const failed = (error: unknown): void => this.deps.log(route, 'Failed to send response', error);
    const observer = { published: (): void => undefined, failed };
    try {
      const frame = replies.encode(to, route, packet, fields);
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

/** Whether it may be remembered, and turned into a string without side effects. */
function isId(id: unknown): id is RequestId {
  return typeof id === 'number' || (typeof id === 'string' && id.length <= MAX_ID_LENGTH);
}

function contextOf(
  { channel, subscription, node, fields }: Arrival,
  packet: IncomingPacket,
  type: HandledType,
): ClusterPubSubContext {
  const context = new ClusterPubSubContext([channel, subscription.route, node, fields.h, packet]);
  context.handledAs = type;
  context.replyTo = fields.r;
  return context;
}

/** By the rule of Nest's own request deserializer. */
function isPacket(packet: unknown): boolean {
  const { pattern, data } = (packet ?? {}) as { pattern?: unknown; data?: unknown };
  return pattern !== undefined || data !== undefined;
}

/**
 * Whether a pattern subscription matched a message that is not meant for handlers: on a channel of ours, or a reply of a
 * stock Nest server, which replies to `order.created` on `order.created.reply`.
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
