import { randomBytes } from 'node:crypto';
import type { PubSubMetrics } from '../../pubsub/common/metrics.js';
import type { ChannelNames } from '../wire/channel-names.js';
import type { TransportEngine } from '../connection/create-engine.js';
import { register } from '../connection/process-registry.js';
import type { RequestTally } from '../telemetry/metrics.js';
import { createEngine } from '../connection/create-engine.js';
import type { ResolvedOptions } from '../common/options.js';
import { PendingRequests } from './pending-requests.js';
import { readInboxWaitLimits } from './inbox-wait-queue.js';

/**
 * One connection of a client, from `connect()` to `close()`.
 *
 * @internal
 */
export class ClientConnection {
  readonly engine: TransportEngine;
  readonly requests: PendingRequests;
  /** Whether nobody waits for the connection any more. */
  connected = false;
  /** Takes it out of what the health indicator sees. */
  readonly #leave: () => void;

  constructor(
    options: ResolvedOptions,
    names: ChannelNames,
    tally: RequestTally,
    received: (...reply: [...Parameters<PendingRequests['received']>, requests: PendingRequests]) => void,
  ) {
    this.engine = createEngine(options);
    this.requests = new PendingRequests(
      this.engine,
      names,
      newClientId(),
      options.sequence,
      readInboxWaitLimits(options.connection),
      tally,
      (message, inbox) => received(message, inbox, this.requests),
    );
    this.#leave = register({
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

  /** Requests that wait for their inbox have not reached the engine yet, and are messages that wait all the same. */
  metrics(): PubSubMetrics {
    const metrics = this.engine.metrics();
    return { ...metrics, waiting: metrics.waiting + this.requests.unsentCount };
  }

  /** Fails what waits for an answer. */
  close(reason: Error): Promise<void> {
    this.#leave();
    this.requests.failAll(reason);
    return this.engine.close();
  }
}

/** Ten characters of base64url: short, for it travels with every request, and never the same twice. */
function newClientId(): string {
  return randomBytes(8).toString('base64url').slice(0, 10);
}
