import type { BaseRpcContext } from '@nestjs/microservices';
import type { HandledType } from '../common/cluster-pubsub.context.js';
import { TRANSPORT_DIAGNOSTICS } from './diagnostics-channels.js';
import { DurationHistogram, type Durations } from './duration-histogram.js';
import type { ClusterPubSubServer } from '../server/server.js';

const { handled } = TRANSPORT_DIAGNOSTICS;

/** What became of a handler. */
export interface Handled {
  readonly type: HandledType;
  readonly pattern: string;
  readonly context: BaseRpcContext;
  readonly outcome: 'done' | 'failed' | 'cancelled';
  readonly error: unknown;
}

/**
 * What the handlers of a server do: counted always, timed while somebody listens to `nestjs-cluster-pubsub:handled`.
 *
 * @internal
 */
export class HandlerMetrics {
  requests = 0;
  events = 0;
  noHandler = 0;
  failed = 0;
  #times: DurationHistogram | undefined;

  constructor(private readonly server: ClusterPubSubServer) {}

  /** Undefined: nobody has ever listened. */
  get times(): Durations | undefined {
    return this.#times?.read();
  }

  /** When a handler began, as `performance.now()` has it; 0 while nobody wants to know. */
  now(): number {
    return handled.hasSubscribers ? performance.now() : 0;
  }

  /** Tells of a handler that began at `began`, which is not 0. */
  publish(began: number, what: Handled): void {
    const duration = performance.now() - began;
    (this.#times ??= new DurationHistogram()).record(duration);
    handled.publish({ server: this.server, ...what, duration });
  }
}
