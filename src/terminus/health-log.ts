import type { LoggerService } from '@nestjs/common';
import type { PubSubHealth, PubSubHealthProfile } from '../pubsub/health/health-types.js';

/** Logs when a check becomes `down`, and when it no longer is: two lines for an outage, however often it is checked. */
export class HealthLog {
  /** By check, the `performance.now()` since which it is down. */
  readonly #downSince = new Map<string, number>();

  constructor(private readonly logger: Pick<LoggerService, 'error' | 'log'>) {}

  changed(
    key: string,
    profile: PubSubHealthProfile = 'people',
    status: PubSubHealth['status'],
    reasons: readonly string[],
  ): void {
    const check = `Health check "${key}" (${profile})`;
    const since = this.#downSince.get(check);
    if (status === 'down' && since === undefined) {
      this.#downSince.set(check, performance.now());
      this.logger.error(`${check} is down: ${reasons.join(' ')}`);
    } else if (status !== 'down' && since !== undefined) {
      this.#downSince.delete(check);
      this.logger.log(`${check} is ${status} after ${String(Math.round(performance.now() - since))} ms.`);
    }
  }
}
