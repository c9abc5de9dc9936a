import { createHistogram, type RecordableHistogram } from 'node:perf_hooks';
import type { ArmClient } from '../arm.js';
import type { Latency, Load, Outcome } from '../members/protocol.js';
import { knowToAnswer } from './know-to-answer.js';
import { latencyOf } from './latency-of.js';
import { dataOf } from './payload.js';
import { graceToArrive, type RunningLoad, wordsOf } from './running-load.js';

type Requests = Extract<Load, { kind: 'requests' }>;

/** One request in this many has its latency measured: two looks at the clock for each would cost what is measured. */
const sampled = 16;

/** Keeps a fixed number of requests in flight: each answer sends the next request. */
export class ClosedLoop implements RunningLoad {
  readonly #data: unknown;
  readonly #histogram: RecordableHistogram = createHistogram({ figures: 3 });
  #next = 0;
  #underWay = 0;
  #answered = 0;
  #failed = 0;
  #firstError: string | undefined;
  #stopped = false;
  #idle: () => void = () => undefined;

  constructor(
    private readonly client: ArmClient,
    private readonly load: Requests,
  ) {
    this.#data = dataOf(load.payload);
  }

  get done(): number {
    return this.#answered;
  }

  async begin(): Promise<void> {
    await knowToAnswer(this.client, this.load.patterns);
    for (let started = 0; started < this.load.inFlight; started += 1) this.#ask();
  }

  latency(): Latency | undefined {
    return latencyOf(this.#histogram);
  }

  async stop(): Promise<Outcome> {
    this.#stopped = true;
    if (this.#underWay > 0) {
      await new Promise<void>((resolve) => {
        this.#idle = resolve;
        setTimeout(resolve, graceToArrive).unref();
      });
    }
    return {
      sent: this.#answered + this.#failed + this.#underWay,
      arrived: this.#answered,
      failed: this.#failed,
      ...(this.#firstError === undefined ? {} : { firstError: this.#firstError }),
    };
  }

  readonly #ask = (): void => {
    const { patterns } = this.load;
    const number = this.#next++;
    const pattern = patterns[number % patterns.length]!;
    this.#underWay += 1;
    this.client.request(pattern, this.#data, number % sampled === 0 ? this.#timed() : this.#answer);
  };

  #timed(): (error?: unknown) => void {
    const at = performance.now();
    return (error) => {
      this.#histogram.record(Math.max(1, Math.round((performance.now() - at) * 1e6)));
      this.#answer(error);
    };
  }

  readonly #answer = (error?: unknown): void => {
    this.#underWay -= 1;
    if (error === undefined) {
      this.#answered += 1;
      if (!this.#stopped) this.#ask();
    } else {
      this.#failed += 1;
      this.#firstError ??= wordsOf(error);
      // Not immediately: a request that fails at once would fail in an endless loop.
      if (!this.#stopped) setTimeout(() => this.#stopped || this.#ask(), 10);
    }
    if (this.#stopped && this.#underWay === 0) this.#idle();
  };
}
