import { Random } from '../../test/chaos/random.js';
import type { ArmName } from '../arms/index.js';
import type { Brokers } from '../brokers/brokers.js';
import type { Load } from '../members/protocol.js';
import type { Options } from '../options.js';
import type { Sample } from '../sample.js';
import { Session } from '../session.js';

/** Requests and events as fast as they go; each arm in fresh processes, in another order each round. */
export async function throughput(brokers: Brokers, options: Options): Promise<Sample[]> {
  const random = new Random(options.seed);
  const samples: Sample[] = [];
  for (let round = 0; round < options.rounds; round += 1) {
    for (const arm of random.shuffle(options.arms)) {
      const plan = loadsOf(arm, options);
      if (plan.length === 0) continue;
      const session = await Session.start(brokers, { arm, requests: ['bench.ask'], events: ['bench.event'] });
      try {
        for (const { name, load } of plan) {
          const measured = await session.measure(load, paceOf(options));
          samples.push({ load: name, arm, round, ...measured });
          process.stderr.write(
            `  round ${round + 1}  ${arm.padEnd(14)} ${name.padEnd(16)} ${Math.round(measured.rate)}/s\n`,
          );
        }
      } finally {
        await session.end();
      }
    }
  }
  return samples;
}

function loadsOf(arm: ArmName, { sections }: Options): { name: string; load: Load }[] {
  const requests = [1, 64, 256].map((inFlight) => ({
    name: `requests@${inFlight}`,
    load: { kind: 'requests', patterns: ['bench.ask'], inFlight, payload: 32 } satisfies Load,
  }));
  const events = {
    name: 'events',
    load: { kind: 'events', patterns: ['bench.event'], payload: 32, receivers: 1 } satisfies Load,
  };
  return [
    // Its requests are those of ours-sharded.
    ...(sections.includes('requests') && arm !== 'ours-classic' ? requests : []),
    ...(sections.includes('events') ? [events] : []),
  ];
}

function paceOf({ quick }: Options) {
  return quick ? { warmUp: 400, window: 700 } : { warmUp: 1_000, window: 2_000 };
}
