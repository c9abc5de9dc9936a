import { randomBytes } from 'node:crypto';
import type { PubSubMetrics } from '../../pubsub/common/metrics.js';
import { createEngine, type TransportEngine } from '../connection/create-engine.js';
import { register } from '../connection/process-registry.js';
import { PendingRequests, type PendingRequestsDeps } from './pending-requests.js';

/**
 * The engine and the pending requests of a client, from `connect()` to `close()`.
 *
 * @internal
 */
export class ClientConnection {
  readonly engine: TransportEngine;
  readonly requests: PendingRequests;
  /** True once every call that waited for the connection has been served. */
  connected = false;
  readonly #unregister: () => void;

  constructor(deps: PendingRequestsDeps) {
    const { options } = deps;
    this.engine = createEngine(options);
    this.requests = new PendingRequests(this.engine, newClientId(), deps);
    this.#unregister = register({
      kind: 'client',
      state: 'open',
      options,
      engine: this.engine,
      channels: [],
      unavailableReason: undefined,
      handling: () => 0,
      waiting: () => this.requests.pendingCount,
    });
  }

  /** The metrics of the engine; requests that wait for their inbox count as waiting messages. */
  metrics(): PubSubMetrics {
    const metrics = this.engine.metrics();
    return { ...metrics, waiting: metrics.waiting + this.requests.unsentCount };
  }

  /** Fails all pending requests with `reason`. */
  close(reason: Error): Promise<void> {
    this.#unregister();
    this.requests.failAll(reason);
    return this.engine.close();
  }
}

/** Unique, and short because it travels with every request: ten characters of base64url. */
function newClientId(): string {
  return randomBytes(8).toString('base64url').slice(0, 10);
}
