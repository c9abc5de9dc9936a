import { Random } from '../../test/chaos/random.js';
import type { ArmName } from '../arms/index.js';
import { attempt } from '../attempt.js';
import { Brokers } from '../brokers/brokers.js';
import { eventsOf, patterns, requestsAt, service } from '../loads.js';
import type { Load } from '../members/protocol.js';
import type { Options } from '../options.js';
import { tellProgress } from '../progress.js';
import type { Sample } from '../sample.js';
import { Session, type SessionPlan } from '../session.js';

/** One curve: the variable, its values, and the load at each value. */
interface Curve {
  readonly load: string;
  readonly points: readonly number[];
  /** Whether each point needs a cluster of its own. */
  readonly ownCluster?: boolean;
  readonly arms: readonly ArmName[];
  readonly plan: (x: number) => Omit<SessionPlan, 'arm'> & { readonly load: Load };
}

/** Requests in flight in total, rounded to whole clients. */
const underWay = 256;

/** Enough channels to use every one of nine masters. */
const spread = patterns('bench.event', 64);

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
    plan: (x) => ({ events: patterns('bench.event', x), load: eventsOf(32, patterns('bench.event', x)) }),
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

/** A curve needs fewer rounds than a target. */
const roundsOfCurves = 3;
const judged = { load: 'clients', x: 16 };

/** Throughput by number of clients, channels, masters and subscribers. */
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

/** With `--quick`, only the ends of each curve. */
function pointsOf({ load, points }: Curve, { quick }: Options): readonly number[] {
  if (!quick) return points;
  return load === judged.load ? [judged.x] : [points[0], points.at(-1)].filter((x) => x !== undefined);
}

function roundsAt({ load }: Curve, x: number, { rounds }: Options): number {
  return load === judged.load && x === judged.x ? rounds : Math.min(rounds, roundsOfCurves);
}
