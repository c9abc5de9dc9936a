import type { OpenSocket } from './connection-factory.js';
import type { NodeKey } from '../common/node-address.js';
import type { Payload } from '../common/messages.js';
import type { CommandHead } from '../resp/command-writer.js';
import { CommandWriter } from '../resp/command-writer.js';
import { RespDecoder } from '../resp/decoder.js';
import type { MessageSink } from '../resp/message-parser.js';
import { InvalidReplyError, type Reply } from '../resp/reply.js';
import { errorMessage } from '../../util/error-message.js';

/**
 * - `lost`: closed or reset by the node, or broken
 * - `slow-consumer`: closed by the node while much was still to be read, as `client-output-buffer-limit` does
 * - `unresponsive`: ended by us, because something was due that did not arrive
 * - `invalid-reply`: ended by us, because the node sent something else than a reply, or than the one that was due
 * - `closed`: ended by us, because it is not needed any more
 */
export type DisconnectReason = 'lost' | 'slow-consumer' | 'unresponsive' | 'invalid-reply' | 'closed';

/** How often in `commandTimeout` the commands are checked that wait for their reply. */
const CHECKS_PER_TIMEOUT = 4;

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
  /**
   * `isPush`: see {@link RespDecoder}.
   *
   * @throws {@link InvalidReplyError} for what was not due: the connection ends
   */
  reply(reply: Reply, isPush: boolean): void;
  /** Takes messages to channels; without it they arrive as replies. */
  readonly message?: MessageSink;
  /** How many commands wait for their reply. */
  waiting(): number;
  /** The data of one read was handled. */
  handled?(): void;
  /** The connection has ended, for whatever reason; called once. */
  ended(error: ConnectionLostError): void;
}

/**
 * A socket that speaks RESP: commands out, one write a tick; replies in, one call each.
 *
 * When a command has no reply after `commandTimeout`, the connection is ended, whatever else the node sends. One timer for
 * all commands of a connection counts how many had been sent at each check: time in which the event loop was blocked, or
 * the process suspended, does not count.
 */
export class RespSocket {
  readonly #writer: CommandWriter;
  /** Runs while replies are due. */
  #timer: NodeJS.Timeout | undefined;
  /** How many commands were ever written, now and at the last checks, oldest first. */
  #written = 0;
  #writtenAtChecks: number[] = [];
  #extraChecks = 0;
  /** By the monotonic clock: a step of the wall clock must not end a healthy connection. */
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
    const decoder = new RespDecoder((reply, isPush) => listener.reply(reply, isPush), listener.message);
    socket.on('data', (chunk: Buffer) => {
      const now = performance.now();
      this.#lastReceived = now;
      this.#drained.onRead(chunk.length, now);
      try {
        decoder.write(chunk);
      } catch (error) {
        this.end(errorMessage(error), error instanceof InvalidReplyError ? 'invalid-reply' : 'lost');
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
    clearInterval(this.#timer);
    this.opened.close();
    this.listener.ended(this.#endedBy);
  }

  #noteCommand(): void {
    this.#written += 1;
    this.#timer ??= setInterval(
      () => this.#check(),
      Math.max(10, this.commandTimeout / CHECKS_PER_TIMEOUT),
    ).unref();
  }

  #check(): void {
    const checks = this.#writtenAtChecks;
    if (this.listener.waiting() === 0) {
      clearInterval(this.#timer);
      this.#timer = undefined;
      checks.length = 0;
      return;
    }
    if (checks.length === CHECKS_PER_TIMEOUT && this.#isOverdue(checks[0] as number)) {
      if (this.#isReadingBacklog()) {
        return;
      }
      const due = checks[0] as number;
      // If the application kept the event loop busy, the reply is not read yet: timers run before sockets are read.
      setImmediate(() => {
        if (this.#isOverdue(due) && !this.#isReadingBacklog()) {
          this.end(`no reply for ${String(this.commandTimeout)} ms`, 'unresponsive');
        }
      });
    } else {
      this.#extraChecks = 0;
    }
    checks.push(this.#written);
    if (checks.length > CHECKS_PER_TIMEOUT) {
      checks.shift();
    }
  }

  /** Whether one of the first `due` commands has no reply yet. */
  #isOverdue(due: number): boolean {
    return this.#written - this.listener.waiting() < due;
  }

  /** A reply may be behind much that was sent before it: it gets twice the time while that is read. */
  #isReadingBacklog(): boolean {
    if (!this.#drained.isSlowConsumer(performance.now()) || this.#extraChecks >= CHECKS_PER_TIMEOUT) {
      return false;
    }
    this.#extraChecks += 1;
    return true;
  }

  #lossReason(): DisconnectReason {
    return this.#drained.isSlowConsumer(performance.now()) ? 'slow-consumer' : 'lost';
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
