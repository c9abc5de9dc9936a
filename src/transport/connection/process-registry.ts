import { isSameCluster } from '../../pubsub/connection/startup-nodes.js';
import type { Engine } from './engine-events.js';
import type { ResolvedOptions } from '../common/options.js';

/**
 * A server that listens, or a client that is connected, as the health indicator sees it.
 *
 * @internal
 */
export interface TransportInstance {
  readonly is: 'server' | 'client';
  readonly options: Pick<ResolvedOptions, 'connection' | 'prefix'>;
  readonly engine: Engine;
  /**
   * Of a server: the names on the cluster of the channels that its handlers listen to; wildcards have none. The same list
   * until it changes.
   */
  readonly channels: readonly string[];
  /** Of a server that does not serve: why. */
  readonly absence: Absence | undefined;
  /** Of a server: how many handlers run. */
  handling(): number;
  /** Of a client: how many requests wait for their answer. */
  waiting(): number;
}

/** @internal */
export interface Absence {
  /** In a sentence. */
  readonly reason: string;
  /** Whether it has given up, and its engine with it. */
  readonly final: boolean;
}

/** What all copies of this package in the process share; the version is that of {@link TransportInstance}. */
const REGISTRY = Symbol.for('nestjs-cluster-pubsub/live-parts/1');

/**
 * Nest gives its providers no way to the servers of their application, which are made outside of it. So servers and
 * clients are known to the process for as long as they are open, and found by the cluster and the prefix that they share
 * with whoever asks. To the process, not to this module: one entry may be imported and another one required.
 */
const open = ((globalThis as { [REGISTRY]?: Set<TransportInstance> })[REGISTRY] ??=
  new Set<TransportInstance>());

/** @internal @returns what to call when it is closed. */
export function register(part: TransportInstance): () => void {
  open.add(part);
  return () => {
    open.delete(part);
  };
}

/**
 * Of those on this cluster, with this prefix: a server that serves is what they were to be, in an application that tried
 * again with a new one. Nest closes none that could not listen.
 *
 * @internal
 */
export function forgetFailedServers(options: TransportInstance['options']): void {
  for (const part of open) {
    if (part.absence?.final === true && isSame(part.options, options)) {
      open.delete(part);
    }
  }
}

/**
 * Those on this cluster, with this prefix; servers first, in the order in which they were opened. Without `options`, those
 * that belong together with the one that was opened first.
 *
 * @internal
 */
export function instancesOf(options: TransportInstance['options'] | undefined): readonly TransportInstance[] {
  const all = [...open].sort((one, other) => Number(other.is === 'server') - Number(one.is === 'server'));
  const like = options ?? all[0]?.options;
  return all.filter((part) => like !== undefined && isSame(part.options, like));
}

/** @internal */
export function isSame(one: TransportInstance['options'], other: TransportInstance['options']): boolean {
  return one.prefix === other.prefix && isSameCluster(one.connection, other.connection);
}
