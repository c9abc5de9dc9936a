import type { Address } from '../arm.js';

/** Where the services of a fleet find Redis. */
export interface Place {
  readonly nodes: readonly Address[];
  /** The one node that transports without cluster support connect to. */
  readonly node: Address;
}

/** One service of a fleet, with connections of its own. */
export interface Service {
  /** Sends one request to the service itself; rejects if it is not answered. */
  request(): Promise<unknown>;
  /** Uses everything that a service uses, so that all connections of a running one are open. */
  use(): Promise<unknown>;
  close(): Promise<void>;
}

/** Starts a service; resolves when it may be sent a request. `name` is unique in the fleet. */
export type StartService = (place: Place, name: string) => Promise<Service>;

interface Entry {
  readonly title: string;
  readonly load: () => Promise<StartService>;
}

const entries = {
  ours: {
    title: 'ours: server, client and engine',
    load: async () => (await import('./services/ours.js')).startOurs,
  },
  'nest-redis': {
    title: 'Nest Redis server and client, ioredis `Cluster`',
    load: async () => (await import('./services/nest-redis.js')).startNestRedis,
  },
  'engine-alone': {
    title: 'ours: engine alone',
    load: async () => (await import('./services/engine-alone.js')).startEngineAlone,
  },
  'cluster-alone': {
    title: 'ioredis `Cluster` alone',
    load: async () => (await import('./services/cluster-alone.js')).startClusterAlone,
  },
} satisfies Record<string, Entry>;

export type Kind = keyof typeof entries;

export const kinds = Object.keys(entries) as Kind[];

/** Measured with many links; of the others only the memory is measured. */
export const fleetKinds: readonly Kind[] = ['ours', 'nest-redis'];

export const loadService = (kind: Kind): Promise<StartService> => entries[kind].load();
export const titleOf = (kind: Kind): string => entries[kind].title;
