import type { EventEmitter } from 'node:events';
import type { ClusterPubSub, ClusterPubSubEvents } from '../cluster-pubsub.js';
import type { DiagnosticsChannel } from '../common/diagnostics-channels.js';
import { ENGINE_DIAGNOSTICS } from '../diagnostics.js';
import type { ClusterPubSubError } from '../common/errors.js';
import type { Gap, PubSubEncoding } from '../common/messages.js';
import type { Metrics } from '../common/metrics.js';
import type { ChannelName } from '../common/channel-name.js';
import type { PublishCommand } from '../publish/publish-request.js';

/** A gap, and when it was told, by the monotonic clock, in ms. */
export interface RememberedGap {
  readonly gap: Gap;
  readonly toldAt: number;
}

/** Tells what happens: the listeners of an engine, and whoever listens on `node:diagnostics_channel`. */
export class EventNotifier {
  #lastGap: RememberedGap | undefined;
  readonly #warned = new Set<string>();

  constructor(
    private readonly pubsub: ClusterPubSub<PubSubEncoding>,
    private readonly metrics: Metrics,
  ) {}

  get lastGap(): RememberedGap | undefined {
    return this.#lastGap;
  }

  /** One that throws is an uncaught exception; it neither ends a connection nor stops us halfway. */
  emit<K extends keyof ClusterPubSubEvents>(event: K, subject: ClusterPubSubEvents[K][0]): void {
    this.#tellDiagnostics(event, subject);
    try {
      (this.pubsub as EventEmitter).emit(event, subject);
    } catch (error) {
      queueMicrotask(() => {
        throw error;
      });
    }
  }

  gap(gap: Gap): void {
    this.metrics.gaps += 1;
    this.#lastGap = { gap, toldAt: performance.now() };
    this.emit('gap', gap);
  }

  /**
   * What goes wrong in the background. Without a listener Node would throw it, and end a process for what passes by
   * itself; so it is a warning of the process, the first of each code, for nobody else would tell.
   */
  error(error: ClusterPubSubError): void {
    if (this.pubsub.listenerCount('error') > 0) {
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
      ENGINE_DIAGNOSTICS.publishFailed.publish({ pubsub: this.pubsub, command, channel, error });
    }
  }

  #tellDiagnostics<K extends keyof ClusterPubSubEvents>(event: K, subject: ClusterPubSubEvents[K][0]): void {
    const channel: DiagnosticsChannel<never> = ENGINE_DIAGNOSTICS[event];
    if (channel.hasSubscribers) {
      channel.publish({ pubsub: this.pubsub, [event]: subject } as never);
    }
  }
}
