import type { LoggerService } from '@nestjs/common';
import type { PubSubStatus } from '../../pubsub/common/events.js';
import { RateLimitedLog } from './rate-limited-log.js';

/**
 * Logs when subscriptions are interrupted and when all of them are restored: at most one pair of lines in an interval. An
 * interruption that ends before the interval does is only counted; one that lasts longer is logged at its end. The second
 * line is written if, and only if, the first was.
 *
 * @internal
 */
export class StatusLog {
  /** The `performance.now()` at which the current interruption began. */
  #interruptedAt: number | undefined;
  #isReported = false;
  readonly #interruptions: RateLimitedLog;

  constructor(
    private readonly logger: LoggerService,
    intervalMs?: number,
  ) {
    this.#interruptions = new RateLimitedLog((line) => {
      this.#isReported = true;
      logger.warn(line);
    }, intervalMs);
  }

  changed(status: PubSubStatus): void {
    if (status === 'connected' || status === 'closed') {
      this.#end(status === 'connected');
    } else if (status === 'reconnecting' && this.#interruptedAt === undefined) {
      const interruptedAt = performance.now();
      this.#interruptedAt = interruptedAt;
      let isLate = false;
      this.#interruptions.log(() => {
        const when = isLate ? ` ${msSince(interruptedAt)} ms ago` : '';
        return `Subscriptions interrupted${when}; resubscribing.`;
      });
      isLate = true;
    }
  }

  #end(restored: boolean): void {
    this.#interruptions.drop();
    if (restored && this.#isReported && this.#interruptedAt !== undefined) {
      this.logger.log(`All subscriptions restored after ${msSince(this.#interruptedAt)} ms.`);
    }
    this.#interruptedAt = undefined;
    this.#isReported = false;
  }
}

function msSince(time: number): string {
  return String(Math.round(performance.now() - time));
}
