import type { BrokerCeiling } from './brokers/redis-benchmark.js';
import type { Conditions } from './conditions.js';
import type { Sample } from './sample.js';

/** Bytes of a link with 10 channels, and with 10,000. */
export interface LinkMemory {
  readonly few: number;
  readonly many: number;
}

/** The result of a run; ratios and verdicts are computed from it. */
export interface Results {
  readonly conditions: Conditions;
  readonly samples: readonly Sample[];
  readonly ceiling?: BrokerCeiling;
  readonly link?: LinkMemory;
}
