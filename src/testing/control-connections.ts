import { Redis } from 'ioredis';
import { LocalClusterError } from './errors.js';
import { addressOf, type NodeReference } from './node-address.js';

/** Time limit for a reply, in ms. */
const replyTimeout = 1_000;

type Argument = string | number | Buffer;

/** Connections to individual servers for one operation, opened on first use. */
export class ControlConnections {
  readonly #connections = new Map<number, Redis>();

  constructor(private readonly password: string | undefined) {}

  /** Sends one command to one server; an error reply becomes a LocalClusterError `REFUSED`. */
  async call(node: NodeReference, command: string, ...args: Argument[]): Promise<unknown> {
    try {
      return await this.#to(node).call(command, ...args);
    } catch (cause) {
      throw this.#explain(node, command, args, cause);
    }
  }

  /** Like {@link call}, for binary replies. */
  async callBuffer(node: NodeReference, command: string, ...args: Argument[]): Promise<unknown> {
    try {
      return await this.#to(node).callBuffer(command, ...args);
    } catch (cause) {
      throw this.#explain(node, command, args, cause);
    }
  }

  /** The reply as text, or undefined without one: the server is dead, frozen, or still loading. */
  async ask(node: NodeReference, command: string, ...args: Argument[]): Promise<string | undefined> {
    try {
      return String(await this.call(node, command, ...args));
    } catch {
      return undefined;
    }
  }

  close(): void {
    for (const connection of this.#connections.values()) connection.disconnect();
    this.#connections.clear();
  }

  #to(node: NodeReference): Redis {
    const open = this.#connections.get(node.port);
    if (open !== undefined && open.status !== 'end') return open;
    const connection = new Redis({
      host: '127.0.0.1',
      port: node.port,
      ...(this.password === undefined ? {} : { password: this.password }),
      // ioredis 6 prefers RESP3, whose replies to CLUSTER commands are shaped differently; ioredis 5 ignores this.
      protocol: 2,
      connectTimeout: replyTimeout,
      commandTimeout: replyTimeout,
      maxRetriesPerRequest: 0,
      retryStrategy: () => null,
      enableReadyCheck: false,
      disableClientInfo: true,
    });
    // Commands reject on their own; without a listener ioredis would also print the error.
    connection.on('error', () => undefined);
    this.#connections.set(node.port, connection);
    return connection;
  }

  #explain(node: NodeReference, command: string, args: Argument[], cause: unknown): LocalClusterError {
    const reason = cause instanceof Error ? cause.message : String(cause);
    const subcommand = command === 'CLUSTER' ? ` ${String(args[0])}` : '';
    return new LocalClusterError(
      'REFUSED',
      `${command}${subcommand} on ${addressOf(node)} failed: ${reason}`,
      { cause },
    );
  }
}

/** Runs `work` with connections that are closed afterwards, so that none remains in the client lists of the servers. */
export async function withControl<T>(
  password: string | undefined,
  work: (control: ControlConnections) => Promise<T>,
): Promise<T> {
  const control = new ControlConnections(password);
  try {
    return await work(control);
  } finally {
    control.close();
  }
}
