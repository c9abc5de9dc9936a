import { InvalidArgumentError } from './errors.js';
import { invalidValue } from './validation.js';

/** The `host:port` of a node, its identity everywhere in the engine. */
export type NodeKey = string & { readonly __brand: 'NodeKey' };

/** The address that a node listens on. */
export interface NodeAddress {
  readonly host: string;
  readonly port: number;
}

/**
 * A node of the cluster as users name it: `"host:port"`, as the cluster itself reports it (see `Moved.masters`), or its
 * host and port.
 *
 * @publicApi
 */
export type NodeReference = string | NodeAddress;

/** @throws {@link InvalidArgumentError} unless it names a node; a host without a port does not */
export function readNodeReference(node: unknown): NodeKey {
  if (typeof node === 'string') {
    return nodeKey(parseNodeKey(node));
  }
  const { host, port } = (node ?? {}) as Partial<Record<keyof NodeAddress, unknown>>;
  if (typeof host !== 'string' || host === '' || typeof port !== 'number') {
    throw invalidValue('A node', '"host:port" or { host, port }', node);
  }
  return nodeKey(parseNodeKey(`${host}:${String(port)}`));
}

export function nodeKey(address: NodeAddress): NodeKey {
  return `${address.host}:${String(address.port)}` as NodeKey;
}

/** The inverse of {@link nodeKey}; the last colon separates host and port, so that IPv6 hosts work. */
export function parseNodeKey(key: string): NodeAddress {
  const colon = key.lastIndexOf(':');
  const port = Number(key.slice(colon + 1));
  if (colon < 1 || !Number.isInteger(port) || port < 1 || port > 65_535) {
    throw new InvalidArgumentError(`"${key}" is not a node address. Expected "host:port".`);
  }
  return { host: key.slice(0, colon), port };
}
