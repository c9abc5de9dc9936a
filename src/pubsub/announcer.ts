import type { EventEmitter } from 'node:events';
import type { ClusterPubSub, ClusterPubSubEvents } from './cluster-pubsub.js';
import type { DiagnosticChannel } from './diagnostic-channel.js';
import { ENGINE_DIAGNOSTICS } from './diagnostics.js';
import type { ClusterPubSubError } from './errors.js';
import type { Gap } from './message.js';
import type { Metrics } from './metrics.js';
import type { ChannelName, PubSubEncoding } from './options.js';
import type { PublishCommand } from './publication.js';

/** Tells what happens: the listeners of an engine, and whoever listens on `node:diagnostics_channel`. */
export class Announcer {
  #lastGap: Gap | undefined;

  constructor(
    private readonly pubsub: ClusterPubSub<PubSubEncoding>,
    private readonly metrics: Metrics,
  ) {}

  get lastGap(): Gap | undefined {
    return this.#lastGap;
  }

  /** One that throws is an uncaught exception; it neither ends a connection nor stops us halfway. */
  tell<K extends keyof ClusterPubSubEvents>(event: K, subject: ClusterPubSubEvents[K][0]): void {
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
    this.#lastGap = gap;
    this.tell('gap', gap);
  }

  /** Without a listener it is not thrown, as Node would: whoever called is told by what failed. */
  error(error: ClusterPubSubError): void {
    if (this.pubsub.listenerCount('error') > 0) {
      this.tell('error', error);
    } else {
      this.#tellDiagnostics('error', error);
    }
  }

  publishFailed(command: PublishCommand, channel: ChannelName, error: unknown): void {
    this.metrics.publishErrors += 1;
    if (ENGINE_DIAGNOSTICS.publishFailed.hasSubscribers) {
      ENGINE_DIAGNOSTICS.publishFailed.publish({ pubsub: this.pubsub, command, channel, error });
    }
  }

  #tellDiagnostics<K extends keyof ClusterPubSubEvents>(event: K, subject: ClusterPubSubEvents[K][0]): void {
    const channel: DiagnosticChannel<never> = ENGINE_DIAGNOSTICS[event];
    if (channel.hasSubscribers) {
      channel.publish({ pubsub: this.pubsub, [event]: subject } as never);
    }
  }
}
