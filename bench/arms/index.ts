import type { Arm } from '../arm.js';

/** The broker of an arm, whose CPU time is part of its cost. */
export type Broker = 'cluster' | 'nats' | 'none';

interface Entry {
  readonly title: string;
  readonly broker: Broker;
  readonly load: () => Promise<Arm>;
}

/** Loaded on demand, so that a process loads only the transport it measures. */
const entries = {
  'nest-redis': {
    title: 'Nest Redis',
    broker: 'cluster',
    load: async () => (await import('./nest-redis.js')).nestRedis,
  },
  'nest-nats': {
    title: 'Nest NATS',
    broker: 'nats',
    load: async () => (await import('./nest-nats.js')).nestNats,
  },
  'nest-tcp': {
    title: 'Nest TCP',
    broker: 'none',
    load: async () => (await import('./nest-tcp.js')).nestTcp,
  },
  'ours-sharded': {
    title: 'ours, sharded',
    broker: 'cluster',
    load: async () => (await import('./ours-sharded.js')).oursSharded,
  },
  'ours-classic': {
    title: 'ours, classic',
    broker: 'cluster',
    load: async () => (await import('./ours-classic.js')).oursClassic,
  },
  'hand-written': {
    title: 'hand-written ioredis',
    broker: 'cluster',
    load: async () => (await import('./hand-written.js')).handWritten,
  },
} satisfies Record<string, Entry>;

export type ArmName = keyof typeof entries;

export const armNames = Object.keys(entries) as ArmName[];

export const loadArm = (name: ArmName): Promise<Arm> => entries[name].load();
export const titleOf = (name: ArmName): string => entries[name].title;
export const brokerOf = (name: ArmName): Broker => entries[name].broker;
