import { Random } from '../../test/chaos/random.js';
import type { ArmName } from '../arms/index.js';
import { attempt } from '../attempt.js';
import type { Brokers } from '../brokers/brokers.js';
import { requestsAt, service } from '../loads.js';
import type { Options } from '../options.js';
import { tellProgress } from '../progress.js';
import { median } from '../report/statistics.js';
import type { Sample } from '../sample.js';
import { Session } from '../session.js';

/** Shares of the top rate of Nest's Redis transport, the lowest of all arms. */
const shares = [
  { name: 'latency, quarter', share: 1 / 4 },
  { name: 'latency, half', share: 1 / 2 },
] as const;

interface NamedRate {
  readonly name: string;
  readonly perSecond: number;
}

/** Latency at a fixed rate, from the due time of each request. */
export async function latency(
  brokers: Brokers,
  options: Options,
  throughput: readonly Sample[],
): Promise<Sample[]> {
  const arms = options.arms.filter((arm) => arm !== 'ours-classic');
  const top = await topRateOf('nest-redis', brokers, options, throughput);
  // The rate stays below half of the hand-written arm's top rate on this machine.
  const most = (await topRateOf('hand-written', brokers, options, throughput)) / 2;
  const rates = (options.quick ? shares.slice(1) : shares).map(({ name, share }) => ({
    name,
    perSecond: Math.round(Math.min(top * share, most)),
  }));
  const random = new Random(options.seed);
  const samples: Sample[] = [];
  for (let round = 0; round < options.rounds; round += 1) {
    for (const arm of random.shuffle(arms)) {
      samples.push(...(await attempt(arm, () => play(brokers, arm, round, rates, options))));
    }
  }
  return samples;
}

async function play(
  brokers: Brokers,
  arm: ArmName,
  round: number,
  rates: readonly NamedRate[],
  { pace }: Options,
): Promise<Sample[]> {
  const samples: Sample[] = [];
  const session = await Session.start(brokers, { arm, requests: service.requests });
  try {
    await session.warmUp(requestsAt(64), pace.warmUp);
    for (const { name, perSecond } of rates) {
      const load = { kind: 'rate', patterns: service.requests, perSecond, payload: 32 } as const;
      // p99.9 needs some tens of thousands of requests.
      const measured = await session.measure(load, { ...pace, window: 2 * pace.window });
      const sample = { section: 'latency', load: name, arm, round, ...measured } as const;
      tellProgress(sample);
      samples.push(sample);
    }
  } finally {
    await session.end();
  }
  return samples;
}

/** The rate measured in this run, or measured now. */
async function topRateOf(
  arm: ArmName,
  brokers: Brokers,
  { pace }: Options,
  throughput: readonly Sample[],
): Promise<number> {
  const known = throughput.filter((sample) => sample.arm === arm && sample.load === 'requests@256');
  if (known.length > 0) return median(known.map(({ rate }) => rate));
  const session = await Session.start(brokers, { arm, requests: service.requests });
  try {
    await session.warmUp(requestsAt(64), pace.warmUp);
    return (await session.measure(requestsAt(256), pace)).rate;
  } finally {
    await session.end();
  }
}
