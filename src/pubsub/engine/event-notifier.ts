import type { EventEmitter } from 'node:events';
import { ENGINE_DIAGNOSTICS, type DiagnosticsChannel } from '../common/diagnostics-channels.js';
import type { ClusterPubSubError } from '../common/errors.js';
import type { ClusterPubSubEvents, Gap, RememberedGap } from '../common/events.js';
import type { Metrics } from '../common/metrics.js';
import type { ChannelName } from '../common/channel-name.js';
import type { PublishCommand } from '../common/publish-options.js';

/** Emits the events of an engine, and publishes them on `node:diagnostics_channel`. */
export class EventNotifier {
  #lastGap: RememberedGap | undefined;
  readonly #warned = new Set<string>();

  constructor(
    private readonly emitter: EventEmitter<ClusterPubSubEvents>,
    private readonly metrics: Metrics,
  ) {}

  get lastGap(): RememberedGap | undefined {
    return this.#lastGap;
  }

  /** A listener that throws causes an uncaught exception, but neither ends a connection nor interrupts the engine. */
  emit<K extends keyof ClusterPubSubEvents>(event: K, subject: ClusterPubSubEvents[K][0]): void {
    this.#publishDiagnostics(event, subject);
    try {
      (this.emitter as EventEmitter).emit(event, subject);
    } catch (error) {
      queueMicrotask(() => {
        throw error;
      });
    }
  }

  gap(gap: Gap): void {
    this.metrics.gaps += 1;
    this.#lastGap = { gap, reportedAt: performance.now() };
    this.emit('gap', gap);
  }

  /**
   * Reports a background error. Without an `error` listener Node would throw and end the process over a transient
   * failure, so the first error of each code becomes a process warning instead.
   */
  error(error: ClusterPubSubError): void {
    if (this.emitter.listenerCount('error') > 0) {
      this.emit('error', error);
      return;
    }
    this.#publishDiagnostics('error', error);
    if (!this.#warned.has(error.code)) {
      this.#warned.add(error.code);
      const detail =
        "Add an 'error' listener to receive every such error; only the first of each code is reported as a warning.";
      process.emitWarning(error.message, { type: 'ClusterPubSubWarning', code: error.code, detail });
    }
  }

  publishFailed(command: PublishCommand, channel: ChannelName, error: unknown): void {
    this.metrics.publishErrors += 1;
    if (ENGINE_DIAGNOSTICS.publishFailed.hasSubscribers) {
      ENGINE_DIAGNOSTICS.publishFailed.publish({ pubsub: this.emitter, command, channel, error });
    }
  }

  #publishDiagnostics<K extends keyof ClusterPubSubEvents>(
    event: K,
    subject: ClusterPubSubEvents[K][0],
  ): void {
    const channel: DiagnosticsChannel<never> = ENGINE_DIAGNOSTICS[event];
    if (channel.hasSubscribers) {
      channel.publish({ pubsub: this.emitter, [event]: subject } as never);
    }
  }
}
