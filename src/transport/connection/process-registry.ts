import { isSameCluster } from '../../pubsub/connection/startup-nodes.js';
import type { ResolvedOptions } from '../common/options.js';
import type { TransportEngine } from './create-engine.js';

/** The instances that belong together have the same cluster and the same prefix. */
type Identity = Pick<ResolvedOptions, 'connection' | 'prefix'>;

/**
 * A server or client of this process, from its first connection on, as the health indicator sees it.
 *
 * @internal
 */
export interface TransportInstance {
  readonly kind: 'server' | 'client';
  /** `failed`: a server that could not listen. Its engine is closed. */
  readonly state: 'open' | 'failed';
  readonly options: Identity;
  readonly engine: TransportEngine;
  /** The channels of a server's exact handlers, as named on the cluster. */
  readonly channels: readonly string[];
  /** The reason, in a sentence, if a server cannot handle messages. */
  readonly unavailableReason: string | undefined;
  /** The number of running handlers of a server. */
  handling(): number;
  /** The number of a client's requests that wait for a response. */
  waiting(): number;
}

/** A client that has not been used, and so has no connection. */
interface UnusedClient {
  readonly state: 'unused';
  readonly options: Identity;
  /** Weak: a client that was never used need not be closed. */
  readonly client: WeakRef<{ connect(): Promise<unknown> }>;
}

/** Shared by all copies of this package in the process; the version is that of {@link TransportInstance}. */
const REGISTRY = Symbol.for('nestjs-cluster-pubsub/instances/1');

/**
 * Servers are created outside Nest's container, so a provider cannot inject them. Servers and clients are therefore kept in
 * a registry of the process (not of this module: one entry of the package may be imported and another required).
 */
const instances = ((globalThis as { [REGISTRY]?: Set<TransportInstance | UnusedClient> })[REGISTRY] ??=
  new Set());

/** Returns the function that removes the instance. @internal */
export function register(instance: TransportInstance | UnusedClient): () => void {
  instances.add(instance);
  return () => {
    instances.delete(instance);
  };
}

/** Registers a client that has no connection yet. Returns the function that removes it. @internal */
export function registerUnused(client: { connect(): Promise<unknown> }, options: Identity): () => void {
  return register({ state: 'unused', options, client: new WeakRef(client) });
}

/**
 * Removes the failed servers with this cluster and prefix, once another server replaces them: Nest does not close a server
 * that could not listen when the application tries again with a new one.
 *
 * @internal
 */
export function removeFailedServers(options: Identity): void {
  for (const instance of instances) {
    if (instance.state === 'failed' && isSame(instance.options, options)) {
      instances.delete(instance);
    }
  }
}

/**
 * The instances with this cluster and prefix, servers first, in the order in which they were registered. Without
 * `options`: those that belong together with the first.
 *
 * @internal
 */
export function instancesOf(options: Identity | undefined): readonly TransportInstance[] {
  const all = [...instances]
    .filter((instance) => instance.state !== 'unused')
    .sort((one, other) => Number(other.kind === 'server') - Number(one.kind === 'server'));
  const identity = options ?? all[0]?.options;
  return all.filter((instance) => identity !== undefined && isSame(instance.options, identity));
}

/**
 * Connects the unused clients with this cluster and prefix; without `options`, all of them. An application that only sends
 * requests connects with its first one, which a load balancer does not let through before the application is healthy.
 *
 * @internal
 */
export function connectUnused(options: Identity | undefined): void {
  for (const instance of [...instances]) {
    if (instance.state !== 'unused') {
      continue;
    }
    const client = instance.client.deref();
    if (client === undefined) {
      instances.delete(instance);
    } else if (options === undefined || isSame(instance.options, options)) {
      client.connect().catch(() => undefined); // the health of its engine tells why
    }
  }
}

function isSame(one: Identity, other: Identity): boolean {
  return one.prefix === other.prefix && isSameCluster(one.connection, other.connection);
}
