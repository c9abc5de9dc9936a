import { Redis } from 'ioredis';
import { LocalClusterError } from './errors.js';
import { addressOf, type NodeReference } from './node-address.js';

/** A server that does not answer within this many milliseconds counts as silent. */
const answerTimeout = 1_000;

type Argument = string | number | Buffer;

/** Connections to single servers, opened when first used, for the length of one operation. */
export class ControlConnections {
  readonly #connections = new Map<number, Redis>();

  constructor(private readonly password: string | undefined) {}

  /** Sends one command to one server; a reply that is an error becomes a LocalClusterError `REFUSED`. */
  async call(node: NodeReference, command: string, ...args: Argument[]): Promise<unknown> {
    try {
      return await this.#to(node).call(command, ...args);
    } catch (cause) {
      throw this.#explain(node, command, args, cause);
    }
  }

  /** Like {@link call}, for replies that may hold any bytes. */
  async callBuffer(node: NodeReference, command: string, ...args: Argument[]): Promise<unknown> {
    try {
      return await this.#to(node).callBuffer(command, ...args);
    } catch (cause) {
      throw this.#explain(node, command, args, cause);
    }
  }

  /** The answer as text, or undefined when the server gives none: dead, frozen, or still loading. */
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
      connectTimeout: answerTimeout,
      commandTimeout: answerTimeout,
      maxRetriesPerRequest: 0,
      retryStrategy: () => null,
      enableReadyCheck: false,
      disableClientInfo: true,
    });
    // Commands reject by themselves; an 'error' event nobody listens to would end up on the console.
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

/** Runs `work` with connections that are closed afterwards, so that none lingers in the servers' client lists. */
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
