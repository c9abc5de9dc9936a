import type { OpenSocket } from './connection-factory.js';
import type { NodeKey } from '../common/node-address.js';
import type { Payload } from '../common/messages.js';
import type { CommandHead } from '../resp/command-writer.js';
import { CommandWriter } from '../resp/command-writer.js';
import { RespDecoder } from '../resp/decoder.js';
import type { MessageSink } from '../resp/message-parser.js';
import type { Reply } from '../resp/reply.js';
import { errorMessage } from '../../util/error-message.js';

/**
 * - `lost`: closed or reset by the node, or broken
 * - `slow-consumer`: closed by the node while much was still to be read, as `client-output-buffer-limit` does
 * - `unresponsive`: ended by us, because nothing arrived when something was due
 * - `closed`: ended by us, because it is not needed any more
 */
export type DisconnectReason = 'lost' | 'slow-consumer' | 'unresponsive' | 'closed';

/** The connection ended while a command waited for its reply: whether Redis ran it is unknown. */
export class ConnectionLostError extends Error {
  constructor(
    node: NodeKey,
    detail: string,
    readonly disconnectReason: DisconnectReason,
  ) {
    super(`the connection to ${node} was lost: ${detail}`);
    this.name = 'ConnectionLostError';
  }
}

/** The owner of a {@link RespSocket}. */
export interface RespSocketListener {
  reply(reply: Reply): void;
  /** Takes messages to channels; without it they arrive as replies. */
  readonly message?: MessageSink;
  /** A reply is due. */
  waiting(): boolean;
  /** The data of one read was handled. */
  handled?(): void;
  /** The connection has ended, for whatever reason; called once. */
  ended(error: ConnectionLostError): void;
}

/**
 * A socket that speaks RESP: commands out, one write a tick; replies in, one call each.
 *
 * When the node sends nothing for `commandTimeout` while a reply is due, the connection is ended: one clock for all
 * commands of a connection, not one each.
 */
export class RespSocket {
  readonly #writer: CommandWriter;
  /** Runs while replies are due. */
  #progressTimer: NodeJS.Timeout | undefined;
  /** By the monotonic clock: a step of the wall clock must not end a healthy connection. */
  #lastProgress = 0;
  #lastReceived = performance.now();
  readonly #drained: DrainClock;
  #endedBy: ConnectionLostError | undefined;

  constructor(
    private readonly node: NodeKey,
    private readonly opened: OpenSocket,
    private readonly commandTimeout: number,
    private readonly listener: RespSocketListener,
  ) {
    const { socket } = opened;
    this.#writer = new CommandWriter(socket);
    this.#drained = new DrainClock('encrypted' in socket, this.#lastReceived);
    const decoder = new RespDecoder((reply) => listener.reply(reply), listener.message);
    socket.on('data', (chunk: Buffer) => {
      const now = performance.now();
      this.#lastProgress = now;
      this.#lastReceived = now;
      this.#drained.onRead(chunk.length, now);
      try {
        decoder.write(chunk);
      } catch (error) {
        this.end(errorMessage(error), 'lost');
      }
      listener.handled?.();
    });
    socket.once('error', (error: Error) => this.end(error.message, this.#lossReason()));
    socket.once('close', () => this.end('closed by the server', this.#lossReason()));
  }

  get endedBy(): ConnectionLostError | undefined {
    return this.#endedBy;
  }

  /** When data last arrived, by the monotonic clock, in ms. */
  get lastReceived(): number {
    return this.#lastReceived;
  }

  /** See {@link DrainClock.completeUntil}. */
  get completeUntil(): number {
    return this.#drained.completeUntil;
  }

  write(args: readonly Payload[]): void {
    this.#noteCommand();
    this.#writer.write(args);
  }

  /** As {@link write}, with all arguments but the last already encoded. */
  writeAfter(head: CommandHead, last: Payload): void {
    this.#noteCommand();
    this.#writer.writeAfter(head, last);
  }

  /** Flushes to the socket, then ends the connection: data that the kernel has not taken by then is lost. */
  close(): void {
    this.#writer.flush();
    this.end('closed by us', 'closed');
  }

  end(detail: string, reason: DisconnectReason): void {
    if (this.#endedBy !== undefined) {
      return;
    }
    this.#endedBy = new ConnectionLostError(this.node, detail, reason);
    clearInterval(this.#progressTimer);
    this.opened.close();
    this.listener.ended(this.#endedBy);
  }

  #noteCommand(): void {
    if (this.listener.waiting()) {
      return;
    }
    this.#lastProgress = performance.now();
    this.#progressTimer ??= setInterval(
      () => this.#checkProgress(),
      Math.max(10, this.commandTimeout / 4),
    ).unref();
  }

  #checkProgress(): void {
    if (!this.listener.waiting()) {
      clearInterval(this.#progressTimer);
      this.#progressTimer = undefined;
      return;
    }
    if (!this.#isUnresponsive()) {
      return;
    }
    // If the application kept the event loop busy, the reply is not read yet: timers run before sockets are read.
    setImmediate(() => {
      if (this.#endedBy === undefined && this.#isUnresponsive()) {
        this.end(
          `no reply for ${String(Math.round(performance.now() - this.#lastProgress))} ms`,
          'unresponsive',
        );
      }
    });
  }

  #lossReason(): DisconnectReason {
    return this.#drained.isSlowConsumer(performance.now()) ? 'slow-consumer' : 'lost';
  }

  #isUnresponsive(): boolean {
    return this.listener.waiting() && performance.now() - this.#lastProgress > this.commandTimeout;
  }
}

/**
 * The most that one read returns: libuv's buffer, and OpenSSL's record over TLS. A full read means that more was waiting.
 */
const FULL_READ_BYTES = { plain: 65_536, tls: 16_384 } as const;

/** Data that waited for longer than this was not read in time: the event loop was busy, in ms. */
const BACKLOG_AGE_MS = 50;

/**
 * For so long after a full read of a backlog an incomplete read does not show that the backlog is over, in ms: the node
 * starts to send again when we have made room, a round trip later.
 */
const BACKLOG_TAIL_MS = 250;

/** A connection that the node closes within this time after a full read counts as a slow consumer. */
const SLOW_CONSUMER_WINDOW_MS = 1_000;

/**
 * Up to when everything that a socket was sent is known to have been read. Times are of the monotonic clock, in ms.
 *
 * The time at which data is read says nothing about when it arrived. Only a read that empties the socket does, and only
 * if nothing was held back by the node: Redis drops what it could not send when it disconnects a slow consumer.
 */
export class DrainClock {
  readonly #fullRead: number;
  #drainedAt: number;
  #drainedBefore: number;
  #lastFullRead = -Infinity;
  #backlogUntil = -Infinity;
  /** The socket may have held more than the last read took. */
  #isBehind = false;

  constructor(isTls: boolean, now: number) {
    this.#fullRead = isTls ? FULL_READ_BYTES.tls : FULL_READ_BYTES.plain;
    this.#drainedAt = now;
    this.#drainedBefore = now;
  }

  onRead(length: number, now: number): void {
    if (length >= this.#fullRead) {
      this.#lastFullRead = now;
      this.#isBehind = true;
      if (now - this.#drainedAt > BACKLOG_AGE_MS) {
        this.#backlogUntil = now + BACKLOG_TAIL_MS;
      }
    } else if (now >= this.#backlogUntil) {
      this.#isBehind = false;
      this.#drainedBefore = this.#drainedAt;
      this.#drainedAt = now;
    }
  }

  /**
   * Time up to which nothing can have been missed: when the socket was last empty but for the last such read, because data
   * of that one may have waited in the socket since then, and the connection may have ended meanwhile.
   */
  get completeUntil(): number {
    return this.#isBehind ? this.#drainedAt : this.#drainedBefore;
  }

  /** Whether a connection that ends now ends because we read too slowly. */
  isSlowConsumer(now: number): boolean {
    return now - this.#lastFullRead < SLOW_CONSUMER_WINDOW_MS;
  }
}
