import { CommandConnection } from './command-connection.js';
import type { ClusterIdentity } from './cluster-identity.js';
import type { ConnectionFactory } from './connection-factory.js';
import { ClosedError } from '../common/errors.js';
import { parseNodeKey, type NodeKey } from '../common/node-address.js';

/** How long a node that has left the cluster may take to reply to commands in flight. */
const DRAIN_TIMEOUT_MS = 250;

/** One command connection per node, opened on first use and shared by all callers. */
export class CommandConnectionPool {
  readonly #open = new Map<NodeKey, CommandConnection>();
  readonly #opening = new Map<NodeKey, Promise<CommandConnection>>();
  readonly #idleTimers = new Map<CommandConnection, NodeJS.Timeout>();
  #closed = false;
  #onFailure: (() => void) | undefined;

  constructor(
    private readonly factory: ConnectionFactory,
    private readonly commandTimeout: number,
    /** After this time without use a connection is closed, in ms; by default never. */
    private readonly idleTimeout?: number,
  ) {}

  /** Calls `listener` when a connection is lost, and when one cannot be opened. */
  onFailure(listener: () => void): void {
    this.#onFailure = listener;
  }

  /** Which nodes are those of the cluster. */
  get identity(): ClusterIdentity {
    return this.factory.identity;
  }

  /** Why the node could not be connected to when that was last tried; undefined if it could. */
  failureOf(node: NodeKey): Error | undefined {
    return this.factory.failures.of(node);
  }

  /** The open connection to `node`, if any. */
  get(node: NodeKey): CommandConnection | undefined {
    return this.#open.get(node);
  }

  get nodes(): readonly NodeKey[] {
    return [...this.#open.keys()];
  }

  /** Returns the open connection to `node`, or opens one. Concurrent calls share one attempt. */
  connect(node: NodeKey): Promise<CommandConnection> {
    const open = this.#open.get(node);
    if (open !== undefined) {
      this.#idleTimers.get(open)?.refresh();
      return Promise.resolve(open);
    }
    let opening = this.#opening.get(node);
    if (opening === undefined) {
      opening = this.#connect(node).finally(() => this.#opening.delete(node));
      this.#opening.set(node, opening);
    }
    return opening;
  }

  /** Closes the connections to all other nodes, after the replies to commands in flight. */
  retain(nodes: ReadonlySet<NodeKey>): void {
    for (const [node, connection] of this.#open) {
      if (!nodes.has(node)) {
        this.#retire(node, connection);
      }
    }
  }

  #retire(node: NodeKey, connection: CommandConnection): void {
    this.#open.delete(node);
    void connection.drain(DRAIN_TIMEOUT_MS);
  }

  /** Allows connections again after {@link close}. */
  reopen(): void {
    this.#closed = false;
  }

  /** Waits for the replies to commands in flight, at most `timeout` ms, then closes all connections. */
  async close(timeout = this.commandTimeout): Promise<void> {
    this.#closed = true;
    const connections = [...this.#open.values()];
    this.#open.clear();
    await Promise.all(connections.map((connection) => connection.drain(timeout)));
    await Promise.allSettled(this.#opening.values());
  }

  async #connect(node: NodeKey): Promise<CommandConnection> {
    if (this.#closed) {
      throw new ClosedError();
    }
    const opened = await this.factory.open(parseNodeKey(node)).catch((error: unknown) => {
      this.#onFailure?.();
      throw error;
    });
    if (this.#isClosed()) {
      opened.close();
      throw new ClosedError();
    }
    const connection = new CommandConnection(node, opened, this.commandTimeout);
    this.#open.set(node, connection);
    if (this.idleTimeout !== undefined) {
      const onIdle = (): void => this.#retire(node, connection);
      this.#idleTimers.set(connection, setTimeout(onIdle, this.idleTimeout).unref());
    }
    connection.onClose(() => {
      clearTimeout(this.#idleTimers.get(connection));
      this.#idleTimers.delete(connection);
      if (this.#open.get(node) === connection) {
        this.#open.delete(node);
        this.#onFailure?.();
      }
    });
    return connection;
  }

  /** A method, because the compiler would take the value from before an `await` for the present one. */
  #isClosed(): boolean {
    return this.#closed;
  }
}
