import type { OpenSocket } from './connection-factory.js';
import type { NodeKey } from './node-address.js';
import type { Payload } from './options.js';
import { CommandWriter } from './resp/command-writer.js';
import { RespDecoder } from './resp/decoder.js';
import type { Reply } from './resp/reply.js';

/** The connection ended while a command waited for its answer: whether Redis ran it is not known. */
export class ConnectionLostError extends Error {
  constructor(node: NodeKey, reason: string) {
    super(`the connection to ${node} was lost: ${reason}`);
    this.name = 'ConnectionLostError';
  }
}

/** Who speaks over a {@link RespSocket}. */
export interface RespSocketUser {
  reply(reply: Reply): void;
  /** Whether an answer is due. */
  waiting(): boolean;
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
  #endedBy: ConnectionLostError | undefined;

  constructor(
    private readonly node: NodeKey,
    private readonly opened: OpenSocket,
    private readonly commandTimeout: number,
    private readonly user: RespSocketUser,
  ) {
    const { socket } = opened;
    this.#writer = new CommandWriter(socket);
    const decoder = new RespDecoder((reply) => {
      user.reply(reply);
    });
    socket.on('data', (chunk: Buffer) => {
      this.#lastProgress = performance.now();
      try {
        decoder.write(chunk);
      } catch (error) {
        this.end(error instanceof Error ? error.message : String(error));
      }
    });
    socket.once('error', (error: Error) => {
      this.end(error.message);
    });
    socket.once('close', () => {
      this.end('closed by the server');
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

  write(args: readonly Payload[]): void {
    if (!this.user.waiting()) {
      this.#lastProgress = performance.now();
    }
    this.#writer.write(args);
  }

  /** Hands what was written to the socket, then ends the connection: what the kernel has not taken by then is gone. */
  close(): void {
    this.#writer.flush();
    this.end('closed by us');
  }

  end(reason: string): void {
    if (this.#endedBy !== undefined) {
      return;
    }
    this.#endedBy = new ConnectionLostError(this.node, reason);
    clearInterval(this.#watch);
    this.opened.close();
    this.user.ended(this.#endedBy);
  }

  #checkProgress(): void {
    if (!this.#isSilent()) {
      return;
    }
    // An application that kept the event loop busy has not read the answer yet: timers run before sockets are read.
    setImmediate(() => {
      if (this.#endedBy === undefined && this.#isSilent()) {
        this.end(`no answer for ${String(Math.round(performance.now() - this.#lastProgress))} ms`);
      }
    });
  }

  #isSilent(): boolean {
    return this.user.waiting() && performance.now() - this.#lastProgress > this.commandTimeout;
  }
}
