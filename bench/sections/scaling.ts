import { Random } from '../../test/chaos/random.js';
import type { ArmName } from '../arms/index.js';
import { attempt } from '../attempt.js';
import { Brokers } from '../brokers/brokers.js';
import { eventsOf, requestsAt, service } from '../loads.js';
import type { Load } from '../members/protocol.js';
import type { Options } from '../options.js';
import { tellProgress } from '../progress.js';
import type { Sample } from '../sample.js';
import { Session, type SessionPlan } from '../session.js';

/** What grows, how far, and what is asked of whom at each point. */
interface Curve {
  readonly load: string;
  readonly points: readonly number[];
  /** A cluster of its own for each point. */
  readonly ownCluster?: boolean;
  readonly arms: readonly ArmName[];
  readonly plan: (x: number) => Omit<SessionPlan, 'arm'> & { readonly load: Load };
}

/** Requests under way in all, or as near as whole clients come to it. */
const underWay = 256;

/** So many channels meet every master of nine. */
const spread = channels(64);

const curves: readonly Curve[] = [
  {
    load: 'clients',
    points: [1, 4, 16, 32],
    arms: ['nest-redis', 'ours-sharded'],
    plan: (x) => ({ clients: x, requests: service.requests, load: requestsAt(underWay / x) }),
  },
  {
    load: 'channels',
    points: [1, 100, 1_000, 10_000],
    arms: ['nest-redis', 'ours-sharded', 'ours-classic'],
    plan: (x) => ({ events: channels(x), load: eventsOf(32, channels(x)) }),
  },
  {
    load: 'masters',
    points: [3, 6, 9],
    ownCluster: true,
    arms: ['ours-sharded', 'ours-classic'],
    plan: () => ({ events: spread, load: eventsOf(32, spread) }),
  },
  {
    load: 'subscribers',
    points: [1, 4, 16],
    arms: ['nest-redis', 'ours-sharded', 'ours-classic'],
    plan: (x) => ({ servers: x, events: service.events, load: eventsOf(32, service.events, x) }),
  },
];

/** A curve wants less than a ratio that is judged. */
const roundsOfCurves = 3;
const judged = { load: 'clients', x: 16 };

/** How throughput changes with what a system has more of as it grows. */
export async function scaling(brokers: Brokers, options: Options): Promise<Sample[]> {
  const random = new Random(options.seed);
  const samples: Sample[] = [];
  for (const curve of curves) {
    for (const x of pointsOf(curve, options)) {
      const own = curve.ownCluster === true ? await Brokers.start({ masters: x, replicas: 1 }) : undefined;
      try {
        for (let round = 0; round < roundsAt(curve, x, options); round += 1) {
          for (const arm of random.shuffle(curve.arms.filter((arm) => options.arms.includes(arm)))) {
            const target = own ?? brokers;
            samples.push(...(await attempt(arm, () => play(target, curve, x, arm, round, options))));
          }
        }
      } finally {
        await own?.stop();
      }
    }
  }
  return samples;
}

async function play(
  brokers: Brokers,
  curve: Curve,
  x: number,
  arm: ArmName,
  round: number,
  { pace }: Options,
): Promise<Sample[]> {
  const { load, ...plan } = curve.plan(x);
  const session = await Session.start(brokers, { arm, ...plan });
  try {
    await session.warmUp(load, pace.warmUp);
    const measured = await session.measure(load, pace);
    const sample = { section: 'scaling', load: curve.load, x, arm, round, ...measured } as const;
    tellProgress(sample);
    return [sample];
  } finally {
    await session.end();
  }
}

/** In a hurry, the ends of each curve. */
function pointsOf({ load, points }: Curve, { quick }: Options): readonly number[] {
  if (!quick) return points;
  return load === judged.load ? [judged.x] : [points[0], points.at(-1)].filter((x) => x !== undefined);
}

function roundsAt({ load }: Curve, x: number, { rounds }: Options): number {
  return load === judged.load && x === judged.x ? rounds : Math.min(rounds, roundsOfCurves);
}

function channels(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `bench.event.${index}`);
}
