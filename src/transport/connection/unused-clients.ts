import { isSame, type TransportInstance } from './process-registry.js';

/** A client that was made and not connected, for nobody has asked it for anything. */
interface UnusedClient {
  readonly options: TransportInstance['options'];
  /** Not held: who throws a client away that was never used need not close it. */
  readonly client: WeakRef<{ connect(): Promise<unknown> }>;
}

/** Shared as the live parts are. */
const REGISTRY = Symbol.for('nestjs-cluster-pubsub/unused-clients/1');

const unused = ((globalThis as { [REGISTRY]?: Set<UnusedClient> })[REGISTRY] ??= new Set<UnusedClient>());

/** @internal @returns what to call when it connects, or is closed. */
export function awaitUse(
  client: { connect(): Promise<unknown> },
  options: TransportInstance['options'],
): () => void {
  const one = { options, client: new WeakRef(client) };
  unused.add(one);
  return () => {
    unused.delete(one);
  };
}

/**
 * Connects those on this cluster with this prefix; without `options`, all. An application that only asks connects with its
 * first request, which a load balancer does not send it before it is healthy.
 *
 * @internal
 */
export function connectUnused(options: TransportInstance['options'] | undefined): void {
  for (const one of [...unused]) {
    const client = one.client.deref();
    if (client === undefined) {
      unused.delete(one);
    } else if (options === undefined || isSame(one.options, options)) {
      client.connect().catch(() => undefined); // the health of its engine says why
    }
  }
}
