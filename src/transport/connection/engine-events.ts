import type { LoggerService } from '@nestjs/common';
import type { ClusterPubSub } from '../../pubsub/cluster-pubsub.js';
import type { ClusterPubSubError } from '../../pubsub/common/errors.js';
import type { Gap, Interruption, Moved, PubSubStatus } from '../../pubsub/common/events.js';
import { firstFew } from '../../util/arrays.js';
import { RateLimitedLog } from '../telemetry/rate-limited-log.js';
import { StatusLog } from '../telemetry/status-log.js';

/** How many names or moves one line lists. */
const MOST_NAMED = 3;

/**
 * What `on()` of the server and of the client can listen to. A type, not an interface: Nest wants an index signature.
 *
 * @publicApi
 */
export type ClusterPubSubTransportEvents = {
  /** A subscription stands again after an interval in which it may have missed messages. */
  gap: (gap: Gap) => void;
  /** A subscription just stopped to stand. */
  interrupted: (interruption: Interruption) => void;
  /** Slots changed their master. */
  moved: (moved: Moved) => void;
  /** How the connection as a whole is doing. */
  status: (status: PubSubStatus) => void;
  /** Something failed that no call was there to report. */
  error: (error: ClusterPubSubError) => void;
};

/** Nest's own words for the `status` observable of servers and clients. */
export type ClusterPubSubStatus = 'connected' | 'reconnecting' | 'disconnected';

/** @internal */
export type Engine = ClusterPubSub<'buffer'>;

/**
 * Listeners outlive the engine: `on()` may be called before there is one, and `connect()` after `close()` makes
 * another. The status told is that of the engine that was bound last.
 *
 * @internal
 */
export class EngineEvents {
  readonly #bindings: ((engine: Engine) => void)[] = [];
  #engine: Engine | undefined;
  #leaving: Engine | undefined;

  constructor(
    logger: LoggerService,
    private readonly onStatus: (status: ClusterPubSubStatus) => void,
  ) {
    const errors = new RateLimitedLog((line) => void logger.error(line));
    this.on('error', (error) => errors.log(error.message, error.code));
    const statusLog = new StatusLog(logger);
    this.on('status', (status) => {
      this.#translate(status);
      statusLog.changed(status);
    });
    const gaps = new RateLimitedLog((line) => void logger.warn(line));
    this.on('gap', (gap) => {
      gaps.log(
        `Messages may have been missed between ${gap.since.toISOString()} and ${gap.until.toISOString()} on ` +
          `${firstFew(gap.names, MOST_NAMED, (name) => `"${String(name)}"`)} (${gap.kind}, ${gap.reason}).`,
        `${gap.kind} ${gap.reason}`,
      );
    });
    const moves = new RateLimitedLog((line) => void logger.log(line));
    this.on('moved', (moved) => moves.log(describeMove(moved)));
  }

  on<Event extends keyof ClusterPubSubTransportEvents>(
    event: Event,
    listener: ClusterPubSubTransportEvents[Event],
  ): void {
    const bind = (engine: Engine): void => {
      const heard =
        event === 'status'
          ? (status: PubSubStatus) => {
              // One that drains, and closes, while another has taken its place; or one that wants less and less.
              if (engine === this.#engine && !(engine === this.#leaving && status === 'connected')) {
                (listener as ClusterPubSubTransportEvents['status'])(status);
              }
            }
          : listener;
      engine.on(event, heard as never);
    };
    this.#bindings.push(bind);
    if (this.#engine !== undefined) {
      bind(this.#engine);
    }
  }

  bind(engine: Engine): void {
    this.#engine = engine;
    for (const bind of this.#bindings) {
      bind(engine);
    }
  }

  /** It is about to end its subscriptions: that nothing is missing any more is no news of the cluster. */
  leave(engine: Engine): void {
    this.#leaving = engine;
  }

  #translate(status: PubSubStatus): void {
    if (status === 'connected' || status === 'reconnecting') {
      this.onStatus(status);
    } else if (status === 'closed') {
      this.onStatus('disconnected');
    }
  }
}

function describeMove({ slots, changes }: Moved): string {
  const ways = firstFew(changes, MOST_NAMED, ({ from, to }) => `${from ?? 'nowhere'} → ${to ?? 'nowhere'}`);
  return `${slots === 1 ? '1 slot has' : `${String(slots)} slots have`} another master than before: ${ways}.`;
}
