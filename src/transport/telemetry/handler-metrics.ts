import { type HandledDiagnostics, TRANSPORT_DIAGNOSTICS } from './diagnostics-channels.js';
import { DurationHistogram, type Durations } from './duration-histogram.js';

const { handled } = TRANSPORT_DIAGNOSTICS;

/**
 * Counts what the handlers of a server do, and times it while `nestjs-cluster-pubsub:handled` has a subscriber.
 *
 * @internal
 */
export class HandlerMetrics {
  requests = 0;
  events = 0;
  noHandler = 0;
  failed = 0;
  #durations: DurationHistogram | undefined;

  constructor(private readonly server: object) {}

  /** Undefined until the diagnostics channel has had a subscriber. */
  get durations(): Durations | undefined {
    return this.#durations?.read();
  }

  /** Publishes the end of an execution that started at `startedAt`, as `performance.now()` has it. */
  publish(startedAt: number, ended: Omit<HandledDiagnostics, 'server' | 'duration'>): void {
    const duration = performance.now() - startedAt;
    (this.#durations ??= new DurationHistogram()).record(duration);
    handled.publish({ server: this.server, ...ended, duration });
  }
}
