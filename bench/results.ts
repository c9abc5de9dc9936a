import type { BrokerCeiling } from './brokers/redis-benchmark.js';
import type { Conditions } from './conditions.js';
import type { Sample } from './sample.js';

/** All that a run has to say; ratios and verdicts follow from it. */
export interface Results {
  readonly conditions: Conditions;
  readonly samples: readonly Sample[];
  readonly ceiling?: BrokerCeiling;
}
