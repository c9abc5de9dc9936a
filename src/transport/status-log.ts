import type { LoggerService } from '@nestjs/common';
import type { PubSubStatus } from '../pubsub/message.js';

/** How long after a line about an interruption another is only counted, in ms. */
const INTERVAL = 10_000;

/**
 * Writes when subscriptions are interrupted and when all stand again: one pair of lines an interruption, and at most one
 * pair in an interval. The second line is never left out where the first was written.
 *
 * @internal
 */
export class StatusLog {
  /** When the interruption began, as `performance.now()` has it; undefined while there is none that was written of. */
  #since: number | undefined;
  #nextAt = -Infinity;
  #omitted = 0;

  constructor(
    private readonly logger: LoggerService,
    private readonly interval = INTERVAL,
  ) {}

  changed(status: PubSubStatus): void {
    const now = performance.now();
    if (status === 'reconnecting' && this.#since === undefined) {
      this.#interrupted(now);
    } else if (status === 'connected' && this.#since !== undefined) {
      this.logger.log(`All subscriptions stand again, after ${String(Math.round(now - this.#since))} ms.`);
      this.#since = undefined;
    } else if (status === 'closed') {
      this.#since = undefined;
    }
  }

  #interrupted(now: number): void {
    if (now < this.#nextAt) {
      this.#omitted += 1;
      return;
    }
    const before = this.#omitted === 0 ? '' : ` (and ${String(this.#omitted)} interruptions like it before)`;
    this.logger.warn(`Subscriptions were interrupted, and are being made anew${before}.`);
    this.#since = now;
    this.#nextAt = now + this.interval;
    this.#omitted = 0;
  }
}
