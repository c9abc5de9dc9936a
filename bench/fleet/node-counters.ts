import { Redis } from 'ioredis';
import type { Address } from '../arm.js';
import { cpuOf } from '../brokers/process-stats.js';

/** The counters of all nodes at one moment. They only grow. */
export interface Reading {
  /** In ms. */
  readonly at: number;
  /** Executed commands by name as in `INFO commandstats`, without those of this program. */
  readonly calls: ReadonlyMap<string, number>;
  /** Connections that were accepted. */
  readonly accepted: number;
  /** CPU time in μs; undefined without /proc. */
  readonly cpu: number | undefined;
}

/** Reads the counters of nodes over connections of its own, which it leaves out. */
export class NodeCounters {
  readonly #connections: readonly Redis[];
  #readings = 0;

  constructor(
    nodes: readonly Address[],
    private readonly pids: readonly number[],
  ) {
    this.#connections = nodes.map(({ host, port }) => new Redis({ host, port, enableReadyCheck: false }));
    for (const connection of this.#connections) connection.on('error', () => undefined);
  }

  async read(): Promise<Reading> {
    const infos = await Promise.all(
      this.#connections.map((connection) =>
        Promise.all([connection.info('commandstats'), connection.info('stats')]),
      ),
    );
    const calls = new Map<string, number>();
    for (const [, name = '', count] of infos
      .map(([commands]) => commands)
      .join('\n')
      .matchAll(/^cmdstat_([^:]+):calls=(\d+)/gm)) {
      // Only this program lists connections.
      if (name !== 'client|list') calls.set(name, (calls.get(name) ?? 0) + Number(count));
    }
    calls.set('info', (calls.get('info') ?? 0) - this.#readings * 2 * this.#connections.length);
    this.#readings += 1;
    const accepted = infos.map(([, stats]) => Number(/^total_connections_received:(\d+)/m.exec(stats)?.[1]));
    return {
      at: performance.now(),
      calls,
      accepted: accepted.reduce((sum, count) => sum + count, 0),
      cpu: cpuOf(this.pids),
    };
  }

  /** Connections of clients to each node, without those of this program and of replicas. */
  async connections(): Promise<readonly number[]> {
    return Promise.all(
      this.#connections.map(async (connection) => {
        const list = String(await connection.client('LIST'))
          .trimEnd()
          .split('\n');
        return list.filter((line) => !/ flags=\S*[MS]/.test(line)).length - 1;
      }),
    );
  }

  close(): void {
    for (const connection of this.#connections) connection.disconnect();
  }
}

/** Commands by name from one reading to a later one. */
export function callsBetween(before: Reading, after: Reading): Map<string, number> {
  const names = [...after.calls.keys()];
  const grown = names.map(
    (name) => [name, (after.calls.get(name) ?? 0) - (before.calls.get(name) ?? 0)] as const,
  );
  return new Map(grown.filter(([, count]) => count > 0));
}
