import { randomBytes } from 'node:crypto';
import type { LoggerService } from '@nestjs/common';
import type { PubSubMetrics } from '../../pubsub/common/metrics.js';
import { Backlog, settledWithin } from '../../util/promises.js';
import type { ResolvedOptions } from '../common/options.js';
import { CLIENT_ID_LENGTH } from '../common/client-id.js';
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
  /** Events and requests that have neither been taken by Redis nor failed. */
  readonly backlog = new Backlog();
  /** True once every call that waited for the connection has been served. */
  connected = false;
  readonly #unregister: () => void;
  private readonly options: ResolvedOptions;

  constructor(
    deps: PendingRequestsDeps,
    private readonly logger: Pick<LoggerService, 'warn'>,
  ) {
    const { options } = deps;
    this.options = options;
    this.engine = createEngine(options);
    this.requests = new PendingRequests(this.engine, newClientId(), deps, this.backlog);
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

  async connect(): Promise<void> {
    if (!this.connected) {
      await this.engine.connect();
      // Later, because those who already wait for this promise come first.
      setImmediate(() => (this.connected = true));
    }
  }

  /** Resolves when everything accepted before has been taken by Redis, or has failed. */
  async flush(): Promise<void> {
    if (this.engine.status !== 'idle') {
      // In the order of the calls: by then, what was accepted before has been handed to the engine.
      await this.connect().catch(() => undefined);
    }
    await this.backlog.flush();
  }

  /** Flushes, at most for the grace period; then fails all pending requests with `reason`, and disconnects. */
  async close(reason: Error): Promise<void> {
    const { shutdownGracePeriod } = this.options;
    const end = performance.now() + shutdownGracePeriod;
    this.#unregister();
    if (shutdownGracePeriod > 0) {
      await settledWithin(shutdownGracePeriod, this.flush());
    }
    const unsent = this.backlog.size;
    this.requests.failAll(reason);
    await this.engine.closeWithin(Math.max(end - performance.now(), 0));
    if (unsent > 0) {
      this.logger.warn(
        `close(): ${String(unsent)} messages were not taken by Redis within ${String(shutdownGracePeriod)} ms ` +
          '(shutdownGracePeriod). Their callers got an error.',
      );
    }
  }
}

function newClientId(): string {
  return randomBytes(CLIENT_ID_LENGTH).toString('base64url').slice(0, CLIENT_ID_LENGTH);
}
