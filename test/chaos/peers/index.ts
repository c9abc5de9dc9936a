import type { PeerDefinition } from '../peer.js';

/** Every system under test, loaded on demand, so that no process loads the libraries of another peer. */
const loaders = {
  ours: async (): Promise<PeerDefinition> => (await import('./ours.js')).ours,
  'ioredis-sharded': async (): Promise<PeerDefinition> => (await import('./ioredis.js')).ioredisSharded,
  'ioredis-classic': async (): Promise<PeerDefinition> => (await import('./ioredis.js')).ioredisClassic,
  'nest-redis': async (): Promise<PeerDefinition> => (await import('./nest-redis.js')).nestRedis,
} as const;

export type PeerName = keyof typeof loaders;

export const peerNames = Object.keys(loaders) as PeerName[];

/** The peer that must report every loss. The losses of the others are only counted. */
export const judged: PeerName = 'ours';

export function loadPeer(name: PeerName): Promise<PeerDefinition> {
  return loaders[name]();
}
