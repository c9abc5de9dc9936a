import { Random } from '../../test/chaos/random.js';
import type { ArmName } from '../arms/index.js';
import { attempt } from '../attempt.js';
import type { Brokers } from '../brokers/brokers.js';
import {
  eventLoads,
  largeEventLoads,
  largeRequestLoads,
  type NamedLoad,
  requestLoads,
  requestsAt,
  service,
  typical,
} from '../loads.js';
import type { Options } from '../options.js';
import { tellProgress } from '../progress.js';
import type { Sample } from '../sample.js';
import { Session } from '../session.js';

/** Requests and events at full speed; each arm in fresh processes, in another order each round. */
export async function throughput(brokers: Brokers, options: Options): Promise<Sample[]> {
  const random = new Random(options.seed);
  const samples: Sample[] = [];
  for (let round = 0; round < options.rounds; round += 1) {
    for (const arm of random.shuffle(options.arms)) {
      samples.push(...(await attempt(arm, () => play(brokers, arm, round, options))));
    }
  }
  return samples;
}

async function play(brokers: Brokers, arm: ArmName, round: number, options: Options): Promise<Sample[]> {
  const requests = requestLoadsOf(arm, options);
  const events = eventLoadsOf(options);
  if (requests.length + events.length === 0) return [];
  const samples: Sample[] = [];
  const session = await Session.start(brokers, {
    arm,
    requests: [...service.requests, ...typical.requests],
    events: [...service.events, ...typical.events],
  });
  try {
    // With one in flight, warming up would take long.
    if (requests.length > 0) await session.warmUp(requestsAt(64), options.pace.warmUp);
    for (const { name, load } of [...requests, ...events]) {
      const section = load.kind === 'events' ? 'events' : 'requests';
      const sample = {
        section,
        load: name,
        arm,
        round,
        ...(await session.measure(load, options.pace)),
      } as const;
      tellProgress(sample);
      samples.push(sample);
    }
  } finally {
    await session.end();
  }
  return samples;
}

function requestLoadsOf(arm: ArmName, { sections, quick, loads }: Options): readonly NamedLoad[] {
  // ours-classic and ours-sharded send requests the same way.
  if (!sections.includes('requests') || arm === 'ours-classic') return [];
  return matching(quick ? requestLoads : [...requestLoads, ...largeRequestLoads], loads);
}

function eventLoadsOf({ sections, quick, loads }: Options): readonly NamedLoad[] {
  if (!sections.includes('events')) return [];
  return matching(quick ? eventLoads : [...eventLoads, ...largeEventLoads], loads);
}

function matching(loads: readonly NamedLoad[], part: string): readonly NamedLoad[] {
  return loads.filter(({ name }) => name.includes(part));
}
