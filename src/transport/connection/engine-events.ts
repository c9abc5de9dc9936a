import type { LoggerService } from '@nestjs/common';
import type { ClusterPubSubError } from '../../pubsub/common/errors.js';
import type { Gap, Interruption, Moved, PubSubStatus } from '../../pubsub/common/events.js';
import { firstFew } from '../../util/arrays.js';
import { RateLimitedLog } from '../telemetry/rate-limited-log.js';
import { StatusLog } from '../telemetry/status-log.js';
import type { TransportEngine } from './create-engine.js';

/** How many names or moves one log line lists. */
const MAX_LISTED = 3;

/**
 * The events that `on()` of the server and of the client accept. A type, not an interface: Nest wants an index signature.
 *
 * @publicApi
 */
export type ClusterPubSubTransportEvents = {
  /** A subscription was restored after an interval in which it may have missed messages. */
  gap: (gap: Gap) => void;
  /** A subscription was interrupted. */
  interrupted: (interruption: Interruption) => void;
  /** Slots moved to another master. */
  moved: (moved: Moved) => void;
  /** The state of the connection as a whole has changed. */
  status: (status: PubSubStatus) => void;
  /** A failure in the background, outside any call that could report it. */
  error: (error: ClusterPubSubError) => void;
};

/** Nest's own words for the `status` observable of servers and clients. */
export type ClusterPubSubStatus = 'connected' | 'reconnecting' | 'disconnected';

/**
 * Binds listeners and logs to the events of the current engine. Listeners outlive an engine: `on()` may be called before
 * there is one, and `connect()` after `close()` creates another.
 *
 * @internal
 */
export class EngineEvents {
  readonly #bindings: ((engine: TransportEngine) => void)[] = [];
  #engine: TransportEngine | undefined;
  #closing: TransportEngine | undefined;

  constructor(
    logger: LoggerService,
    private readonly onStatus: (status: ClusterPubSubStatus) => void,
  ) {
    const errors = new RateLimitedLog((line) => void logger.error(line));
    const warnings = new RateLimitedLog((line) => void logger.warn(line));
    this.on('error', (error) =>
      (error.code === 'CLUSTER_REPLACED' ? warnings : errors).log(error.message, error.code),
    );
    const statusLog = new StatusLog(logger);
    this.on('status', (status) => {
      this.#forwardStatus(status);
      statusLog.changed(status);
    });
    const gaps = new RateLimitedLog((line) => void logger.warn(line));
    this.on('gap', (gap) =>
      gaps.log(
        `Messages may have been missed between ${gap.since.toISOString()} and ${gap.until.toISOString()} on ` +
          `${firstFew(gap.names, MAX_LISTED, (name) => `"${String(name)}"`)} (${gap.kind}, ${gap.reason}).`,
        `${gap.kind} ${gap.reason}`,
      ),
    );
    const moves = new RateLimitedLog((line) => void logger.log(line));
    this.on('moved', (moved) => moves.log(describeMove(moved)));
  }

  on<Event extends keyof ClusterPubSubTransportEvents>(
    event: Event,
    listener: ClusterPubSubTransportEvents[Event],
  ): void {
    const bind = (engine: TransportEngine): void => {
      const bound =
        event === 'status'
          ? (status: PubSubStatus) => {
              if (this.#isCurrent(engine, status)) {
                (listener as ClusterPubSubTransportEvents['status'])(status);
              }
            }
          : listener;
      engine.on(event, bound as never);
    };
    this.#bindings.push(bind);
    if (this.#engine !== undefined) {
      bind(this.#engine);
    }
  }

  bind(engine: TransportEngine): void {
    this.#engine = engine;
    for (const bind of this.#bindings) {
      bind(engine);
    }
  }

  /** Ignores `connected` of an engine that is about to unsubscribe: it means only that less is wanted. */
  beforeClose(engine: TransportEngine): void {
    this.#closing = engine;
  }

  /** An engine that drains may have been replaced already. */
  #isCurrent(engine: TransportEngine, status: PubSubStatus): boolean {
    return engine === this.#engine && !(engine === this.#closing && status === 'connected');
  }

  #forwardStatus(status: PubSubStatus): void {
    if (status === 'connected' || status === 'reconnecting') {
      this.onStatus(status);
    } else if (status === 'closed') {
      this.onStatus('disconnected');
    }
  }
}

function describeMove({ slots, changes }: Moved): string {
  const moves = firstFew(changes, MAX_LISTED, ({ from, to }) => `${from ?? 'nowhere'} → ${to ?? 'nowhere'}`);
  return `${slots === 1 ? '1 slot' : `${String(slots)} slots`} moved: ${moves}.`;
}
