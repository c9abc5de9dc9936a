import type { LoggerService } from '@nestjs/common';
import type { PubSubStatus } from '../../pubsub/common/events.js';

/** How long after a line about an interruption another is only counted, in ms. */
const INTERVAL = 10_000;

/** From the moment that a subscription does not stand to the one at which all do. */
interface Interruption {
  /** When it began, as `performance.now()` has it. */
  readonly since: number;
  isWritten: boolean;
}

/**
 * Writes when subscriptions are interrupted and when all stand again: one pair of lines an interruption, and at most one
 * pair in an interval. One that is over before the interval is only counted; one that lasts is written when it is over.
 * The second line is never left out where the first was written.
 *
 * @internal
 */
export class StatusLog {
  #current: Interruption | undefined;
  #later: NodeJS.Timeout | undefined;
  #nextAt = -Infinity;
  #omitted = 0;

  constructor(
    private readonly logger: LoggerService,
    private readonly interval = INTERVAL,
  ) {}

  changed(status: PubSubStatus): void {
    if (status === 'reconnecting') {
      if (this.#current === undefined) {
        this.#interrupted();
      }
    } else if (status === 'connected' || status === 'closed') {
      this.#over(status === 'connected');
    }
  }

  #interrupted(): void {
    const now = performance.now();
    this.#current = { since: now, isWritten: false };
    if (now < this.#nextAt) {
      this.#later = setTimeout(() => this.#lasts(), this.#nextAt - now).unref();
    } else {
      this.#write(this.#current, '');
    }
  }

  #lasts(): void {
    if (this.#current !== undefined) {
      this.#write(this.#current, ` ${msSince(this.#current)} ms ago`);
    }
  }

  #write(interruption: Interruption, when: string): void {
    const before = this.#omitted === 0 ? '' : ` (and ${String(this.#omitted)} like it before)`;
    interruption.isWritten = true;
    this.#nextAt = performance.now() + this.interval;
    this.#omitted = 0;
    this.logger.warn(`Subscriptions were interrupted${when}, and are being made anew${before}.`);
  }

  #over(isWhole: boolean): void {
    const interruption = this.#current;
    this.#current = undefined;
    clearTimeout(this.#later);
    if (interruption?.isWritten === false) {
      this.#omitted += 1;
    } else if (interruption !== undefined && isWhole) {
      this.logger.log(`All subscriptions stand again, after ${msSince(interruption)} ms.`);
    }
  }
}

function msSince({ since }: Interruption): string {
  return String(Math.round(performance.now() - since));
}
