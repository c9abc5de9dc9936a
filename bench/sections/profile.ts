import type { ArmName } from '../arms/index.js';
import { attempt } from '../attempt.js';
import type { Brokers } from '../brokers/brokers.js';
import { profiledLoads, service, typical } from '../loads.js';
import type { Options } from '../options.js';
import { tellProgress } from '../progress.js';
import type { Sample } from '../sample.js';
import { Session } from '../session.js';

/** Our transport, one without a broker, and one without a framework. */
const compared: readonly ArmName[] = ['ours-sharded', 'nest-tcp', 'hand-written'];

/** CPU time of a request by part, at 256 in flight. */
export async function profile(brokers: Brokers, options: Options): Promise<Sample[]> {
  const samples: Sample[] = [];
  for (let round = 0; round < options.rounds; round += 1) {
    for (const arm of compared.filter((one) => options.arms.includes(one))) {
      samples.push(...(await attempt(arm, () => play(brokers, arm, round, options))));
    }
  }
  return samples;
}

async function play(brokers: Brokers, arm: ArmName, round: number, { pace }: Options): Promise<Sample[]> {
  const samples: Sample[] = [];
  const requests = [...service.requests, ...typical.requests];
  const session = await Session.start(brokers, { arm, requests });
  try {
    for (const { name, load } of profiledLoads) {
      await session.warmUp(load, pace.warmUp);
      const { measured, profile } = await session.profile(load, pace);
      const sample = { section: 'profile', load: name, arm, round, ...measured, profile } as const;
      tellProgress(sample);
      samples.push(sample);
    }
    return samples;
  } finally {
    await session.end();
  }
}
