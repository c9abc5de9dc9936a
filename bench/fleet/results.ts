import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Conditions } from '../conditions.js';
import { kinds, type Kind } from './service.js';

/** An interval in which nothing happens. CPU is a share of one core, undefined without /proc. */
export interface Idle {
  readonly masters: number;
  readonly links: number;
  readonly processes: number;
  /** Connections to each master. */
  readonly connections: readonly number[];
  /** Commands a second at all nodes, by name. */
  readonly commands: Readonly<Record<string, number>>;
  readonly nodesCpu: number | undefined;
  /** Of the same nodes before, without any link. */
  readonly nodesCpuBefore: number | undefined;
  readonly processesCpu: number | undefined;
}

/** All links anew, because the services have restarted, or the nodes. */
export interface Restart {
  readonly of: 'services' | 'nodes';
  readonly links: number;
  readonly processes: number;
  /** ms until a service's first request was answered: since the start of the services, or since the end of the nodes. */
  readonly ready: { readonly median: number; readonly max: number };
  /** ms from the end of the nodes until all of them form a working cluster again. */
  readonly nodesWork?: number;
  /** CPU time of the processes in ms, for each link; undefined without /proc. */
  readonly cpu: number | undefined;
  /** Connections and commands that the nodes accepted meanwhile, for each link; not known of nodes that have restarted. */
  readonly connectionsOpened?: number;
  readonly commands?: Readonly<Record<string, number>>;
}

/** Bytes that one more service needs. */
export interface MemoryCost {
  readonly services: number;
  readonly heap: number;
  readonly rss: number;
}

export interface KindResults {
  readonly conditions: Conditions;
  readonly idle: readonly Idle[];
  readonly restarts: readonly Restart[];
  readonly memory: MemoryCost;
}

export type FleetResults = Readonly<Partial<Record<Kind, KindResults>>>;

const file = fileURLToPath(new URL('../results/fleet.json', import.meta.url));

/** Stores the results of the measured kinds beside those that are stored of the others; returns all. */
export function storeResults(measured: FleetResults): FleetResults {
  const stored = existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as FleetResults) : {};
  const all = { ...stored, ...measured };
  const sorted = Object.fromEntries(
    kinds.filter((kind) => kind in all).map((kind) => [kind, all[kind]]),
  ) as FleetResults;
  const shortened = (_: string, value: unknown): unknown =>
    typeof value === 'number' ? Number(value.toPrecision(6)) : value;
  writeFileSync(file, `${JSON.stringify(sorted, shortened, 1)}\n`);
  return sorted;
}
