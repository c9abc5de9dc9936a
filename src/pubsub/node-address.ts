import { InvalidArgumentError } from './errors.js';

/** A node's `host:port`: how one node is told from another everywhere in the engine. */
export type NodeKey = string & { readonly __brand: 'NodeKey' };

/** Where a node listens. */
export interface NodeAddress {
  readonly host: string;
  readonly port: number;
}

export function nodeKey(address: NodeAddress): NodeKey {
  return `${address.host}:${String(address.port)}` as NodeKey;
}

/** The inverse of {@link nodeKey}; the last colon divides, so that IPv6 hosts work. */
export function parseNodeKey(key: string): NodeAddress {
  const colon = key.lastIndexOf(':');
  const port = Number(key.slice(colon + 1));
  if (colon < 1 || !Number.isInteger(port) || port < 1 || port > 65_535) {
    throw new InvalidArgumentError(`"${key}" is not a node address; expected "host:port".`);
  }
  return { host: key.slice(0, colon), port };
}
