import type { OpenSocket } from './connection-factory.js';
import type { NodeKey } from '../common/node-address.js';
import type { Payload } from '../common/messages.js';
import type { CommandHead } from '../resp/command-head.js';
import { CommandWriter } from '../resp/command-writer.js';
import { RespDecoder } from '../resp/decoder.js';
import type { MessageSink } from '../resp/message-parser.js';
import type { Reply } from '../resp/reply.js';
import { errorMessage } from '../../util/error-message.js';

/**
 * - `lost`: closed or reset by the other side, or broken
 * - `behind`: closed by the other side while much was still to be read, as `client-output-buffer-limit` does
 * - `silent`: ended by us, for nothing came when something was due
 * - `closed`: ended by us, for it is not needed any more
 */
export type DisconnectReason = 'lost' | 'behind' | 'silent' | 'closed';

/** What one read takes at most, in bytes (libuv's own buffer): a full one says that more was waiting. */
const FULL_READ = 65_536;

/** How long after a full read a connection that is ended counts as having been behind, in ms. */
const BEHIND_FOR = 1_000;

/** The connection ended while a command waited for its answer: whether Redis ran it is not known. */
export class ConnectionLostError extends Error {
  constructor(
    node: NodeKey,
    reason: string,
    readonly how: DisconnectReason,
  ) {
    super(`the connection to ${node} was lost: ${reason}`);
    this.name = 'ConnectionLostError';
  }
}

/** Who speaks over a {@link RespSocket}. */
export interface RespSocketListener {
  reply(reply: Reply): void;
  /** Takes messages to channels; without it they come as replies. */
  readonly message?: MessageSink;
  /** Whether an answer is due. */
  waiting(): boolean;
  /** How long, in ms, it took to handle what came with one read. */
  handled?(ms: number): void;
  /** Called once, when the connection has ended for whatever reason. */
  ended(error: ConnectionLostError): void;
}

/**
 * A socket that speaks RESP: commands out, one write a tick; replies in, one call each.
 *
 * A node that sends nothing for `commandTimeout` while an answer is due is taken for dead, and the connection is
 * ended: one clock for all commands of a connection, not one each.
 */
export class RespSocket {
  readonly #writer: CommandWriter;
  readonly #watch: NodeJS.Timeout;
  /** By the monotonic clock: a step of the wall clock must not end a healthy connection. */
  #lastProgress = 0;
  #lastReceived = performance.now();
  #receivedBefore = this.#lastReceived;
  #lastFullRead = -Infinity;
  #endedBy: ConnectionLostError | undefined;

  constructor(
    private readonly node: NodeKey,
    private readonly opened: OpenSocket,
    private readonly commandTimeout: number,
    private readonly user: RespSocketListener,
  ) {
    const { socket } = opened;
    this.#writer = new CommandWriter(socket);
    const decoder = new RespDecoder((reply) => {
      user.reply(reply);
    }, user.message);
    socket.on('data', (chunk: Buffer) => {
      const now = performance.now();
      this.#lastProgress = now;
      this.#receivedBefore = this.#lastReceived;
      this.#lastReceived = now;
      if (chunk.length >= FULL_READ) {
        this.#lastFullRead = now;
      }
      try {
        decoder.write(chunk);
      } catch (error) {
        this.end(errorMessage(error), 'lost');
      }
      user.handled?.(performance.now() - now);
    });
    socket.once('error', (error: Error) => {
      this.end(error.message, this.#howLost());
    });
    socket.once('close', () => {
      this.end('closed by the server', this.#howLost());
    });
    this.#watch = setInterval(
      () => {
        this.#checkProgress();
      },
      Math.max(10, commandTimeout / 4),
    ).unref();
  }

  get endedBy(): ConnectionLostError | undefined {
    return this.#endedBy;
  }

  /** When anything last came, by the monotonic clock, in ms. */
  get lastReceived(): number {
    return this.#lastReceived;
  }

  /**
   * The read before the last one, by the monotonic clock, in ms: what the last one brought may have waited in the socket
   * for as long, and the connection may have ended meanwhile.
   */
  get surelyHeard(): number {
    return this.#receivedBefore;
  }

  write(args: readonly Payload[]): void {
    this.#noteCommand();
    this.#writer.write(args);
  }

  /** As {@link write}, where all arguments but the last are encoded already. */
  writeAfter(head: CommandHead, last: Payload): void {
    this.#noteCommand();
    this.#writer.writeAfter(head, last);
  }

  /** Hands what was written to the socket, then ends the connection: what the kernel has not taken by then is gone. */
  close(): void {
    this.#writer.flush();
    this.end('closed by us', 'closed');
  }

  end(reason: string, how: DisconnectReason): void {
    if (this.#endedBy !== undefined) {
      return;
    }
    this.#endedBy = new ConnectionLostError(this.node, reason, how);
    clearInterval(this.#watch);
    this.opened.close();
    this.user.ended(this.#endedBy);
  }

  #noteCommand(): void {
    if (!this.user.waiting()) {
      this.#lastProgress = performance.now();
    }
  }

  #checkProgress(): void {
    if (!this.#isSilent()) {
      return;
    }
    // An application that kept the event loop busy has not read the answer yet: timers run before sockets are read.
    setImmediate(() => {
      if (this.#endedBy === undefined && this.#isSilent()) {
        this.end(`no answer for ${String(Math.round(performance.now() - this.#lastProgress))} ms`, 'silent');
      }
    });
  }

  #howLost(): DisconnectReason {
    return performance.now() - this.#lastFullRead < BEHIND_FOR ? 'behind' : 'lost';
  }

  #isSilent(): boolean {
    return this.user.waiting() && performance.now() - this.#lastProgress > this.commandTimeout;
  }
}
