import type { OpenSocket } from './connection-factory.js';
import { Fifo } from './fifo.js';
import type { NodeKey } from './node-address.js';
import type { Payload } from './options.js';
import { RespSocket, type ConnectionLostError } from './resp-socket.js';
import { RedisReplyError, type Reply } from './resp/reply.js';

/** Called once with the answer of Redis, or with the error that ended the connection before it came. */
export type ReplyCallback = (error: RedisReplyError | ConnectionLostError | undefined, reply: Reply) => void;

/**
 * One connection to one node for everything that is not a subscription: publishes, and questions about the cluster.
 * Answers come in the order of the commands.
 */
export class CommandConnection {
  readonly #pending = new Fifo<ReplyCallback>();
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

  send(args: readonly Payload[], callback: ReplyCallback): void {
    const { endedBy } = this.#socket;
    if (endedBy !== undefined) {
      callback(endedBy, null);
      return;
    }
    this.#socket.write(args);
    this.#pending.push(callback);
  }

  /** As {@link send}, for the ways that are not hot. */
  call(...args: Payload[]): Promise<Reply> {
    return new Promise((resolve, reject) => {
      this.send(args, (error, reply) => {
        if (error !== undefined) {
          reject(error);
        } else {
          resolve(reply);
        }
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
    const callback = this.#pending.shift();
    if (reply instanceof RedisReplyError) {
      callback?.(reply, null);
    } else {
      callback?.(undefined, reply);
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
    for (const callback of this.#pending.drain()) {
      callback(error, null);
    }
    this.#drained?.();
  }
}
