import { CommandConnection } from './command-connection.js';
import type { ConnectionFactory } from './connection-factory.js';
import { ClosedError } from '../common/errors.js';
import { parseNodeKey, type NodeKey } from '../common/node-address.js';

/** How long a node that has left the cluster, or died, may take to answer what is in flight, in ms. */
const LAST_ANSWERS = 250;

/** One command connection per node, opened on first use and shared by everybody. */
export class CommandConnectionPool {
  readonly #open = new Map<NodeKey, CommandConnection>();
  readonly #opening = new Map<NodeKey, Promise<CommandConnection>>();
  #closed = false;

  constructor(
    private readonly factory: ConnectionFactory,
    private readonly commandTimeout: number,
  ) {}

  /** The open connection to `node`, if there is one. */
  get(node: NodeKey): CommandConnection | undefined {
    return this.#open.get(node);
  }

  get nodes(): readonly NodeKey[] {
    return [...this.#open.keys()];
  }

  /** Opens the connection to `node`, or gives the one that is open. Calls that meet share one attempt. */
  connect(node: NodeKey): Promise<CommandConnection> {
    const open = this.#open.get(node);
    if (open !== undefined) {
      return Promise.resolve(open);
    }
    let opening = this.#opening.get(node);
    if (opening === undefined) {
      opening = this.#connect(node).finally(() => this.#opening.delete(node));
      this.#opening.set(node, opening);
    }
    return opening;
  }

  /** Closes the connections to all nodes but these, once what is in flight there has been answered. */
  retain(nodes: ReadonlySet<NodeKey>): void {
    for (const [node, connection] of this.#open) {
      if (!nodes.has(node)) {
        this.#open.delete(node);
        void connection.drain(LAST_ANSWERS);
      }
    }
  }

  /** Lets what is in flight be answered (bounded, for a connection that makes no progress ends itself), then closes all. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#open.values()].map((connection) => connection.drain(this.commandTimeout)));
    await Promise.allSettled(this.#opening.values());
  }

  async #connect(node: NodeKey): Promise<CommandConnection> {
    if (this.#closed) {
      throw new ClosedError();
    }
    const opened = await this.factory.open(parseNodeKey(node));
    if (this.#isClosed()) {
      opened.close();
      throw new ClosedError();
    }
    const connection = new CommandConnection(node, opened, this.commandTimeout);
    this.#open.set(node, connection);
    connection.onClose(() => {
      if (this.#open.get(node) === connection) {
        this.#open.delete(node);
      }
    });
    return connection;
  }

  /** Asked anew after an `await`, where the compiler would still believe the first answer. */
  #isClosed(): boolean {
    return this.#closed;
  }
}
