import type { PeerDefinition } from '../peer.js';

/** Every system under test, loaded when it is asked for: one peer's libraries are none of another's business. */
const loaders = {
  ours: async (): Promise<PeerDefinition> => (await import('./ours.js')).ours,
} as const;

export type PeerName = keyof typeof loaders;

export const peerNames = Object.keys(loaders) as PeerName[];

export function loadPeer(name: PeerName): Promise<PeerDefinition> {
  return loaders[name]();
}
