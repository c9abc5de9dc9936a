import { createHistogram, type RecordableHistogram } from 'node:perf_hooks';
import type { ArmClient } from '../arm.js';
import type { Latency, Load, Outcome } from '../members/protocol.js';
import { knowToAnswer } from './know-to-answer.js';
import { latencyOf } from './latency-of.js';
import { dataOf } from './payload.js';
import { graceToArrive, type RunningLoad, wordsOf } from './running-load.js';

type Rate = Extract<Load, { kind: 'rate' }>;

/**
 * Sends requests at a fixed rate, independent of the answers: waiting for them would hide the worst latencies.
 * Each request has a due time, and its latency counts from then, however late it was sent. Due requests are
 * sent once a millisecond: a busy loop would use the core that it measures.
 */
export class FixedRate implements RunningLoad {
  readonly #data: unknown;
  readonly #histogram: RecordableHistogram = createHistogram({ figures: 3 });
  #start = 0;
  #sent = 0;
  #answered = 0;
  #failed = 0;
  #firstError: string | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly client: ArmClient,
    private readonly load: Rate,
  ) {
    this.#data = dataOf(load.payload);
  }

  get done(): number {
    return this.#answered;
  }

  async begin(): Promise<void> {
    await knowToAnswer(this.client, this.load.patterns);
    this.#start = performance.now();
    this.#timer = setInterval(() => this.#sendWhatIsDue(), 1);
  }

  latency(): Latency | undefined {
    return latencyOf(this.#histogram);
  }

  async stop(): Promise<Outcome> {
    clearInterval(this.#timer);
    const end = performance.now() + graceToArrive;
    while (this.#answered + this.#failed < this.#sent && performance.now() < end) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    return {
      sent: this.#sent,
      arrived: this.#answered,
      failed: this.#failed,
      ...(this.#firstError === undefined ? {} : { firstError: this.#firstError }),
    };
  }

  #sendWhatIsDue(): void {
    const { patterns, perSecond } = this.load;
    const due = Math.floor(((performance.now() - this.#start) / 1_000) * perSecond);
    while (this.#sent < due) {
      const at = this.#start + (this.#sent / perSecond) * 1_000;
      const pattern = patterns[this.#sent++ % patterns.length]!;
      this.client.request(pattern, this.#data, (error) => {
        if (error === undefined) {
          this.#answered += 1;
          this.#histogram.record(Math.max(1, Math.round((performance.now() - at) * 1e6)));
        } else {
          this.#failed += 1;
          this.#firstError ??= wordsOf(error);
        }
      });
    }
  }
}
