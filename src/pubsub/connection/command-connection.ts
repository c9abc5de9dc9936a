import type { OpenSocket } from './connection-factory.js';
import { deferred, settledWithin, type Deferred } from '../../util/promises.js';
import { invalidValue } from '../common/validation.js';
import { FifoQueue } from '../../util/fifo-queue.js';
import type { NodeKey } from '../common/node-address.js';
import type { Payload } from '../common/messages.js';
import { RespSocket, type ConnectionLostError } from './resp-socket.js';
import { encodeHead, type CommandHead } from '../resp/command-writer.js';
import { InvalidReplyError, RedisReplyError, type Reply } from '../resp/reply.js';

/** Receives the reply to a command: called once, with the reply or the error that ended the connection before it. */
export interface ReplyHandler {
  /** Whether it is of the type that the command has. If not, the connection ends: the node cannot be trusted. */
  accepts(reply: Exclude<Reply, RedisReplyError>): boolean;
  onReply(error: RedisReplyError | ConnectionLostError | undefined, reply: Reply): void;
}

/** An idle connection is checked this often, in ms. */
const KEEP_ALIVE_INTERVAL_MS = 5_000;

/**
 * One connection to one node for everything but subscriptions: publishes and queries. Replies arrive in the order of the
 * commands.
 */
export class CommandConnection {
  readonly #pending = new FifoQueue<ReplyHandler>();
  readonly #socket: RespSocket;
  readonly #keepAlive: NodeJS.Timeout;
  #drained: Deferred<undefined> | undefined;
  readonly #closeListeners = new Set<() => void>();

  constructor(
    readonly node: NodeKey,
    opened: OpenSocket,
    commandTimeout: number,
  ) {
    this.#socket = new RespSocket(node, opened, commandTimeout, {
      reply: (reply, isPush) => {
        if (!isPush) {
          this.#onReply(reply);
        }
      },
      waiting: () => this.#pending.length,
      ended: (error) => this.#fail(error),
    });
    this.#keepAlive = setInterval(() => this.#pingIfIdle(), KEEP_ALIVE_INTERVAL_MS).unref();
  }

  get closed(): boolean {
    return this.#socket.endedBy !== undefined;
  }

  /** Number of commands that wait for their reply. */
  get inFlight(): number {
    return this.#pending.length;
  }

  /** Sends a command; `head` holds all arguments but the last, encoded by `encodeHead`. */
  send(head: CommandHead, last: Payload, handler: ReplyHandler): void {
    const { endedBy } = this.#socket;
    if (endedBy !== undefined) {
      handler.onReply(endedBy, null);
      return;
    }
    this.#socket.writeAfter(head, last);
    this.#pending.push(handler);
  }

  /** As {@link send}, with a promise: not for the hot path. */
  call(...args: Payload[]): Promise<Reply> {
    return this.query((reply) => reply, ...args);
  }

  /** As {@link call}, resolves to what `read` makes of the reply; undefined: it is not of the type that it has. */
  query<T>(read: (reply: Reply) => T | undefined, ...args: Payload[]): Promise<T> {
    return new Promise((resolve, reject) => {
      // Half a command in the socket, or one that no server can parse, would break the commands of all other callers.
      assertPayloads(args);
      let value: T | undefined;
      this.send(encodeHead(args.slice(0, -1)), args.at(-1) as Payload, {
        accepts: (reply) => (value = read(reply)) !== undefined,
        onReply: (error) => {
          if (error !== undefined) {
            reject(error);
          } else {
            resolve(value as T);
          }
        },
      });
    });
  }

  onClose(listener: () => void): void {
    if (this.closed) {
      listener();
    } else {
      this.#closeListeners.add(listener);
    }
  }

  /** Forgets a listener of {@link onClose}: the connection may live much longer than one who used it. */
  offClose(listener: () => void): void {
    this.#closeListeners.delete(listener);
  }

  /** Ends the connection when all commands in flight have their reply, or have failed; after `timeout` ms at the latest. */
  async drain(timeout: number): Promise<void> {
    if (this.#pending.length > 0) {
      this.#drained = deferred();
      await settledWithin(timeout, this.#drained.promise);
    }
    this.close();
  }

  close(): void {
    this.#socket.close();
  }

  /** A connection that is dropped on the way, by a NAT for instance, is found before a message needs it. */
  #pingIfIdle(): void {
    if (
      this.#pending.length === 0 &&
      performance.now() - this.#socket.lastReceived > KEEP_ALIVE_INTERVAL_MS / 2
    ) {
      this.call('PING', '').catch(() => undefined);
    }
  }

  #onReply(reply: Reply): void {
    const handler = this.#pending.peek();
    if (handler === undefined) {
      throw new InvalidReplyError(
        reply instanceof RedisReplyError ? reply.message : 'one that no command waits for',
      );
    }
    if (reply instanceof RedisReplyError) {
      this.#pending.shift();
      callHandler(handler, reply, null);
    } else if (handler.accepts(reply)) {
      this.#pending.shift();
      callHandler(handler, undefined, reply);
    } else {
      throw new InvalidReplyError('not of the type that the command has');
    }
    if (this.#drained !== undefined && this.#pending.length === 0) {
      this.#drained.resolve(undefined);
    }
  }

  #fail(error: ConnectionLostError): void {
    clearInterval(this.#keepAlive);
    // Before the handlers, so that none of them finds the lost connection still in use.
    for (const listener of this.#closeListeners) {
      listener();
    }
    for (const handler of this.#pending.drain()) {
      callHandler(handler, error, null);
    }
    this.#drained?.resolve(undefined);
  }
}

/** A number of subscribers or channels. */
export function isCount(reply: Reply): reply is number {
  return typeof reply === 'number' && reply >= 0 && Number.isSafeInteger(reply);
}

function assertPayloads(args: readonly unknown[]): void {
  for (const arg of args) {
    if (typeof arg !== 'string' && !(arg instanceof Uint8Array)) {
      throw invalidValue('A command argument', 'a string or bytes', arg);
    }
  }
}

/** An error thrown by the application must not end the connection, or leave other commands without their reply. */
function callHandler(
  handler: ReplyHandler,
  failure: RedisReplyError | ConnectionLostError | undefined,
  reply: Reply,
): void {
  try {
    handler.onReply(failure, reply);
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}
