import type { EventEmitter } from 'node:events';
import { ENGINE_DIAGNOSTICS, type DiagnosticsChannel } from '../common/diagnostics-channels.js';
import type { ClusterPubSubError } from '../common/errors.js';
import type { ClusterPubSubEvents, Gap, RememberedGap } from '../common/events.js';
import type { Metrics } from '../common/metrics.js';
import type { ChannelName } from '../common/channel-name.js';
import type { PublishCommand } from '../common/publish-options.js';

/** Tells what happens: the listeners of an engine, and whoever listens on `node:diagnostics_channel`. */
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

  /** One that throws is an uncaught exception; it neither ends a connection nor stops us halfway. */
  emit<K extends keyof ClusterPubSubEvents>(event: K, subject: ClusterPubSubEvents[K][0]): void {
    this.#tellDiagnostics(event, subject);
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
   * What goes wrong in the background. Without a listener Node would throw it, and end a process for what passes by
   * itself; so it is a warning of the process, the first of each code, for nobody else would tell.
   */
  error(error: ClusterPubSubError): void {
    if (this.emitter.listenerCount('error') > 0) {
      this.emit('error', error);
      return;
    }
    this.#tellDiagnostics('error', error);
    if (!this.#warned.has(error.code)) {
      this.#warned.add(error.code);
      const detail = "Listen to 'error' of the ClusterPubSub to hear of all such errors; this is the first.";
      process.emitWarning(error.message, { type: 'ClusterPubSubWarning', code: error.code, detail });
    }
  }

  publishFailed(command: PublishCommand, channel: ChannelName, error: unknown): void {
    this.metrics.publishErrors += 1;
    if (ENGINE_DIAGNOSTICS.publishFailed.hasSubscribers) {
      ENGINE_DIAGNOSTICS.publishFailed.publish({ pubsub: this.emitter, command, channel, error });
    }
  }

  #tellDiagnostics<K extends keyof ClusterPubSubEvents>(event: K, subject: ClusterPubSubEvents[K][0]): void {
    const channel: DiagnosticsChannel<never> = ENGINE_DIAGNOSTICS[event];
    if (channel.hasSubscribers) {
      channel.publish({ pubsub: this.emitter, [event]: subject } as never);
    }
  }
}
