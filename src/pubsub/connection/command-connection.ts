import type { OpenSocket } from './connection-factory.js';
import { invalidValue } from '../common/validation.js';
import { FifoQueue } from '../../util/fifo-queue.js';
import type { NodeKey } from '../common/node-address.js';
import type { Payload } from '../common/messages.js';
import { RespSocket, type ConnectionLostError } from './resp-socket.js';
import { encodeHead, type CommandHead } from '../resp/command-head.js';
import { RedisReplyError, type Reply } from '../resp/reply.js';

/** Who waits for the answer of Redis: told once, of the answer, or of the error that ended the connection before it came. */
export interface ReplyHandler {
  answered(error: RedisReplyError | ConnectionLostError | undefined, reply: Reply): void;
}

/**
 * One connection to one node for everything that is not a subscription: publishes, and questions about the cluster.
 * Answers come in the order of the commands.
 */
export class CommandConnection {
  readonly #pending = new FifoQueue<ReplyHandler>();
  readonly #socket: RespSocket;
  #drained: (() => void) | undefined;
  readonly #closeListeners = new Set<() => void>();

  constructor(
    readonly node: NodeKey,
    opened: OpenSocket,
    commandTimeout: number,
  ) {
    this.#socket = new RespSocket(node, opened, commandTimeout, {
      reply: (reply) => {
        this.#settle(reply);
      },
      waiting: () => this.#pending.length > 0,
      ended: (error) => {
        this.#fail(error);
      },
    });
  }

  get closed(): boolean {
    return this.#socket.endedBy !== undefined;
  }

  /** How many commands wait for their answer. */
  get inFlight(): number {
    return this.#pending.length;
  }

  /** Sends the command of which `head` are all arguments but the last, as `encodeHead` made it. */
  send(head: CommandHead, last: Payload, handler: ReplyHandler): void {
    const { endedBy } = this.#socket;
    if (endedBy !== undefined) {
      handler.answered(endedBy, null);
      return;
    }
    this.#socket.writeAfter(head, last);
    this.#pending.push(handler);
  }

  /** As {@link send}, for the ways that are not hot. */
  call(...args: Payload[]): Promise<Reply> {
    return new Promise((resolve, reject) => {
      // Half a command in the socket, or one that no server can read, would be the end of all that others send.
      assertPayloads(args);
      this.send(encodeHead(args.slice(0, -1)), args.at(-1) as Payload, {
        answered: (error, reply) => {
          if (error !== undefined) {
            reject(error);
          } else {
            resolve(reply);
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

  /** Ends the connection when what is in flight has been answered, or given up; after `patience` ms at the latest. */
  async drain(patience: number): Promise<void> {
    if (this.#pending.length > 0) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, patience);
        this.#drained = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    this.close();
  }

  close(): void {
    this.#socket.close();
  }

  #settle(reply: Reply): void {
    const handler = this.#pending.shift();
    if (handler !== undefined && reply instanceof RedisReplyError) {
      answer(handler, reply, null);
    } else if (handler !== undefined) {
      answer(handler, undefined, reply);
    }
    if (this.#drained !== undefined && this.#pending.length === 0) {
      this.#drained();
    }
  }

  #fail(error: ConnectionLostError): void {
    // First, so that nobody who is told of a lost answer finds the connection still in use.
    for (const listener of this.#closeListeners) {
      listener();
    }
    for (const handler of this.#pending.drain()) {
      answer(handler, error, null);
    }
    this.#drained?.();
  }
}

function assertPayloads(args: readonly unknown[]): void {
  for (const arg of args) {
    if (typeof arg !== 'string' && !(arg instanceof Uint8Array)) {
      throw invalidValue('A command argument', 'a string or bytes', arg);
    }
  }
}

/** What the application throws is its own affair: no reason to end the connection, or to leave others without an answer. */
function answer(
  handler: ReplyHandler,
  failure: RedisReplyError | ConnectionLostError | undefined,
  reply: Reply,
): void {
  try {
    handler.answered(failure, reply);
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}
