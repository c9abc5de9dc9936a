import type { Cluster, ClusterNode, ClusterOptions, RedisOptions } from 'ioredis';
import { shuffle } from '../../util/arrays.js';
import { resolveSrv } from 'node:dns';
import type { SrvRecord } from 'node:dns';
import { ClusterUnreachableError, InvalidArgumentError } from '../common/errors.js';
import { nodeKey, parseNodeKey, type NodeKey } from '../common/node-address.js';
import type { ClusterConnectionOptions } from '../common/options.js';
import { invalidValue } from '../common/validation.js';

const DEFAULT_HOST = '127.0.0.1';
const DEFAULT_PORT = 6379;

/** The addresses at which the search for the cluster starts, and the credentials given with them. */
export interface StartupNodes {
  readonly clusterOptions: ClusterOptions;
  /** Authentication given with the startup nodes; `clusterOptions.redisOptions` takes precedence. */
  readonly credentials: Pick<RedisOptions, 'username' | 'password' | 'tls'>;
  /**
   * Resolved with each call, because SRV records and the nodes of a caller's `Cluster` may change. In random order unless
   * SRV records rank them, so that processes that start at once do not all connect to the first node.
   */
  addresses(): Promise<readonly NodeKey[]>;
  /** As {@link addresses}, without those that a caller's `Cluster` has found: it may have been led to another cluster. */
  configured(): Promise<readonly NodeKey[]>;
}

interface StartupNode extends Pick<RedisOptions, 'username' | 'password' | 'tls'> {
  readonly host: string;
  readonly port: number;
}

/** Reads `nodes` + `clusterOptions`, or the same from a caller's ioredis `Cluster`. */
export function readStartupNodes(source: ClusterConnectionOptions): StartupNodes {
  const { cluster } = source;
  if (source.nodes !== undefined && !Array.isArray(source.nodes)) {
    throw invalidValue('nodes', 'an array ([{ host, port }, …])', source.nodes);
  }
  const clusterOptions = source.clusterOptions ?? cluster?.options ?? {};
  const nodes = (cluster === undefined ? (source.nodes ?? []) : startupNodesOf(cluster)).map(
    parseStartupNode,
  );
  if (nodes.length === 0) {
    throw new InvalidArgumentError(
      'No startup nodes: set `nodes: [{ host, port }]`, or `cluster` to an ioredis Cluster.',
    );
  }
  nodes.forEach((node) => parseNodeKey(nodeKey(node)));
  const { username, password, tls } = nodes.find((node) => node.password !== undefined || node.tls) ?? {};
  const configured = async (): Promise<NodeKey[]> => {
    const startup = clusterOptions.useSRVRecords
      ? (await Promise.all(nodes.map((node) => lookUpSrv(node.host, clusterOptions)))).flat()
      : shuffle(nodes.map(nodeKey));
    return [...new Set(startup)];
  };
  return {
    clusterOptions,
    credentials: { ...(username && { username }), ...(password && { password }), ...(tls && { tls }) },
    addresses: async () => {
      const known = cluster?.nodes('all').map(({ options }) => addressOf(options)) ?? [];
      return [...new Set([...known, ...(await configured())])];
    },
    configured,
  };
}

/** True if both use the same ioredis `Cluster`, or share a startup node. */
export function isSameCluster(one: ClusterConnectionOptions, other: ClusterConnectionOptions): boolean {
  if (one.cluster !== undefined || other.cluster !== undefined) {
    return one.cluster === other.cluster;
  }
  const nodes = new Set((one.nodes ?? []).map((node) => nodeKey(parseStartupNode(node))));
  return (other.nodes ?? []).some((node) => nodes.has(nodeKey(parseStartupNode(node))));
}

export function isCluster(source: Cluster | ClusterConnectionOptions): source is Cluster {
  return 'isCluster' in source && (source as { isCluster: unknown }).isCluster === true;
}

/** ioredis keeps them in a private field; before a `Cluster` connects it knows no other nodes. */
function startupNodesOf(cluster: Cluster): readonly ClusterNode[] {
  const nodes: unknown = Reflect.get(cluster, 'startupNodes');
  return Array.isArray(nodes) ? (nodes as ClusterNode[]) : [];
}

function addressOf(options: RedisOptions): NodeKey {
  return nodeKey({ host: options.host ?? DEFAULT_HOST, port: options.port ?? DEFAULT_PORT });
}

function parseStartupNode(node: ClusterNode): StartupNode {
  if (typeof node === 'number') {
    return { host: DEFAULT_HOST, port: node };
  }
  if (typeof node === 'string') {
    // Like ioredis: digits alone are a port.
    return /^\d+$/.test(node) ? { host: DEFAULT_HOST, port: Number(node) } : parseNodeUrl(node);
  }
  const { host = DEFAULT_HOST, port = DEFAULT_PORT, ...rest } = node as Partial<StartupNode>;
  if (/[/@]/.test(host)) {
    // The URL may contain a password: it is not repeated, here or in any later error.
    throw new InvalidArgumentError(
      'The host of a startup node must not be a URL. Pass the URL itself as the node.',
    );
  }
  return { ...rest, host, port };
}

function parseNodeUrl(text: string): StartupNode {
  try {
    return readNodeUrl(new URL(text.includes('://') ? text : `redis://${text}`));
  } catch (error) {
    // The text may contain a password: it is not repeated.
    throw new InvalidArgumentError('Invalid address of a startup node: expected "redis://host:port".', {
      cause: error instanceof Error ? error.name : undefined,
    });
  }
}

/** @throws URIError for an invalid `%` escape */
function readNodeUrl(url: URL): StartupNode {
  return {
    host: url.hostname.replace(/^\[(.*)\]$/, '$1') || DEFAULT_HOST,
    port: url.port === '' ? DEFAULT_PORT : Number(url.port),
    ...(url.username && { username: decodeURIComponent(url.username) }),
    ...(url.password && { password: decodeURIComponent(url.password) }),
    ...(url.protocol === 'rediss:' && { tls: {} }),
  };
}

function lookUpSrv(name: string, { resolveSrv: custom }: ClusterOptions): Promise<NodeKey[]> {
  const resolve = custom ?? resolveSrv;
  return new Promise((done, reject) =>
    resolve(name, (error: Error | null | undefined, records?: SrvRecord[]) => {
      if (error) {
        reject(
          new ClusterUnreachableError(`Cannot look up SRV records of "${name}": ${error.message}`, {
            cause: error,
          }),
        );
        return;
      }
      const sorted = [...(records ?? [])].sort((a, b) => a.priority - b.priority || b.weight - a.weight);
      done(sorted.map(({ name: host, port }) => nodeKey({ host, port })));
    }),
  );
}
