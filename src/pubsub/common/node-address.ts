import { InvalidArgumentError } from './errors.js';

/** A node's `host:port`: how one node is told from another everywhere in the engine. */
export type NodeKey = string & { readonly __brand: 'NodeKey' };

/** Where a node listens. */
export interface NodeAddress {
  readonly host: string;
  readonly port: number;
}

/**
 * A node of the cluster as users name it: `"host:port"`, as the cluster itself names it (see `Moved.masters`), or its
 * host and port.
 *
 * @publicApi
 */
export type NodeReference = string | NodeAddress;

/** @throws {@link InvalidArgumentError} for what names no node, such as a host without a port */
export function readNodeReference(node: unknown): NodeKey {
  if (typeof node === 'string') {
    return nodeKey(parseNodeKey(node));
  }
  const { host, port } = (node ?? {}) as Partial<Record<keyof NodeAddress, unknown>>;
  if (typeof host !== 'string' || host === '' || typeof port !== 'number') {
    throw new InvalidArgumentError(
      'A node is named by its host and its port: "host:port" or { host, port }.',
    );
  }
  return nodeKey(parseNodeKey(`${host}:${String(port)}`));
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
