import { Redis } from 'ioredis';

export interface Address {
  readonly host: string;
  readonly port: number;
}

/** Plain connections of the test itself to single nodes, which survive the faults. */
export class Nodes {
  readonly #connections = new Map<number, Redis>();

  /** Resolves with the reply, or with undefined when there is none within a second. */
  async ask(node: Address, command: string, ...args: readonly (string | number)[]): Promise<unknown> {
    try {
      return await this.#to(node).call(command, ...args);
    } catch {
      return undefined;
    }
  }

  close(): void {
    for (const connection of this.#connections.values()) connection.disconnect();
    this.#connections.clear();
  }

  #to({ host, port }: Address): Redis {
    const open = this.#connections.get(port);
    if (open !== undefined && open.status !== 'end') return open;
    const connection = new Redis({
      host,
      port,
      connectTimeout: 1_000,
      commandTimeout: 1_000,
      maxRetriesPerRequest: 0,
      retryStrategy: () => null,
    });
    connection.on('error', () => undefined);
    this.#connections.set(port, connection);
    return connection;
  }
}
