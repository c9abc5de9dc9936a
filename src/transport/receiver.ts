import type { ConsumerDeserializer } from '@nestjs/microservices';
import type { DataMessage } from '../pubsub/message.js';
import type { ActiveWork } from './active-work.js';
import { isReserved } from './channels.js';
import { NO_MESSAGE_HANDLER } from './constants.js';
import { ClusterPubSubContext } from './context.js';
import { EventRun } from './event-run.js';
import type { MalformedLog } from './malformed-log.js';
import type { ProcessingHooks } from './processing-hooks.js';
import { isPromiseLike } from './promise-like.js';
import type { Replies, ReplyAddress } from './replies.js';
import { SeenRequests } from './seen-requests.js';
import type { ServerLane } from './server-lanes.js';
import { ServerRequest } from './server-request.js';
import { decodeFrame, type WireFields } from './wire.js';

/** What the receiver of a server works with. */
export interface ReceiverParts {
  readonly deserializer: ConsumerDeserializer;
  readonly replies: Replies;
  readonly hooks: ProcessingHooks;
  readonly work: ActiveWork;
  readonly malformed: MalformedLog;
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

/**
 * Takes what arrives at a server's subscriptions, tells requests from events, and starts their handlers.
 *
 * @internal
 */
export class Receiver {
  /** Once false, nothing is handled any more. */
  accepting = true;
  readonly #requests = new Map<string, ServerRequest>();
  readonly #seen = new SeenRequests();
  readonly #ofRequests;
  readonly #ofEvents;

  constructor(private readonly parts: ReceiverParts) {
    const { replies, hooks, work } = parts;
    const log = (route: string, problem: string, error: unknown): void => parts.log(route, problem, error);
    this.#ofEvents = { hooks, log, over: (run: EventRun): void => work.delete(run) };
    this.#ofRequests = {
      replies,
      hooks,
      log,
      over: (request: ServerRequest): void => {
        work.delete(request);
        this.#requests.delete(request.key);
      },
    };
  }

  receive(lane: ServerLane, message: DataMessage<'buffer'>, node: string): void {
    if (!this.accepting) {
      return;
    }
    const channel = lane.kind === 'pattern' ? message.channel.toString() : lane.name;
    const malformed = (): void => this.parts.malformed.report(channel, message.data.length);
    const frame = decodeFrame(message.data);
    if (frame === undefined) {
      malformed();
      return;
    }
    const { fields, packet } = frame;
    if (fields.x !== undefined) {
      this.#cancel(keyOf(fields.r, fields.x));
      return;
    }
    if (lane.kind === 'pattern' && fields.r === undefined && isNotForWildcards(channel, packet)) {
      return;
    }
    const dispatch = (incoming: unknown): void => {
      if (typeof incoming === 'object' && incoming !== null) {
        this.#dispatch(lane, channel, node, fields, incoming);
      } else {
        malformed();
      }
    };
    let incoming: unknown;
    try {
      incoming = this.parts.deserializer.deserialize(packet, { channel });
    } catch {
      malformed();
      return;
    }
    if (isPromiseLike(incoming)) {
      incoming.then(dispatch, malformed);
    } else {
      dispatch(incoming);
    }
  }

  #dispatch(
    lane: ServerLane,
    channel: string,
    node: string,
    fields: WireFields,
    packet: IncomingPacket,
  ): void {
    if (!this.accepting) {
      return;
    }
    const { id, pattern } = packet;
    if (fields.r !== undefined) {
      this.#requestOfOurs(lane, channel, node, fields, fields.r, packet);
    } else if (id !== undefined && pattern !== undefined) {
      this.#requestOfStock(lane, channel, node, fields, packet);
    } else {
      this.#event(lane, channel, node, fields, packet);
    }
  }

  #requestOfOurs(
    lane: ServerLane,
    channel: string,
    node: string,
    fields: WireFields,
    replyTo: string,
    packet: IncomingPacket,
  ): void {
    const to: ReplyAddress = { kind: fields.c === 1 ? 'channel' : 'shard', channel: replyTo, stock: false };
    const key = keyOf(replyTo, packet.id);
    const { request } = lane;
    if (request === undefined || (lane.kind === 'pattern' && !lane.requestsOnly)) {
      // Counted as a receiver by Redis, so that the asker would wait for us. Once for each subscription, as it counts.
      if (this.#seen.isFirst(`${lane.name} ${key}`)) {
        this.#decline(lane, to, packet.id, { n: 1 });
      }
    } else if (this.#seen.isFirst(key)) {
      const running = new ServerRequest(key, packet.id as string, lane.route, to, this.#ofRequests);
      this.#requests.set(key, running);
      this.parts.work.add(running);
      running.start(request, packet.data, contextOf(lane, channel, node, fields, packet));
    }
  }

  /** Of Nest's own Redis client, which waits on the channel with `.reply` after it. */
  #requestOfStock(
    lane: ServerLane,
    channel: string,
    node: string,
    fields: WireFields,
    packet: IncomingPacket,
  ): void {
    const to: ReplyAddress = { kind: 'channel', channel: `${channel}.reply`, stock: true };
    const { request } = lane;
    if (request !== undefined) {
      // The exact handler gets it as well, by its own subscription.
      if (lane.kind !== 'pattern' || !this.parts.requestChannels.has(channel)) {
        const key = keyOf(to.channel, packet.id);
        const running = new ServerRequest(key, packet.id as string, lane.route, to, this.#ofRequests);
        this.parts.work.add(running);
        running.start(request, packet.data, contextOf(lane, channel, node, fields, packet));
      }
    } else if (lane.kind === 'channel') {
      this.#decline(lane, to, packet.id);
    }
  }

  #event(lane: ServerLane, channel: string, node: string, fields: WireFields, packet: IncomingPacket): void {
    for (const handler of lane.events) {
      const run = new EventRun(lane.route, this.#ofEvents);
      this.parts.work.add(run);
      run.start(handler, packet.data, contextOf(lane, channel, node, fields, packet));
    }
    if (lane.events.length === 0 && !lane.warned) {
      lane.warned = true;
      this.parts.warn(
        `An event came for "${lane.route}", which has a message handler only. More of them are dropped quietly.`,
      );
    }
  }

  #cancel(key: string): void {
    const request = this.#requests.get(key);
    if (request === undefined) {
      // It may still be with an asynchronous deserializer: then it shall pass for a second copy.
      this.#seen.isFirst(key);
    } else {
      request.stop();
    }
  }

  #decline(lane: ServerLane, to: ReplyAddress, id: unknown, fields?: WireFields): void {
    const { replies } = this.parts;
    const packet = { id: id as string, status: 'error', err: NO_MESSAGE_HANDLER };
    const failed = (error: unknown): void => this.parts.log(lane.route, 'An answer was not sent', error);
    try {
      const frame = replies.encode(to, lane.route, packet, fields);
      if (isPromiseLike(frame)) {
        frame.then((encoded) => replies.publish(to, encoded)).then(undefined, failed);
      } else {
        replies.publish(to, frame).catch(failed);
      }
    } catch (error) {
      failed(error);
    }
  }
}

function keyOf(replyTo: string | undefined, id: unknown): string {
  return `${replyTo ?? ''} ${String(id)}`;
}

function contextOf(
  lane: ServerLane,
  channel: string,
  node: string,
  fields: WireFields,
  packet: IncomingPacket,
): ClusterPubSubContext {
  return new ClusterPubSubContext([channel, lane.route, node, fields.h, packet]);
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
