// npm run bench:fleet: what idle services cost a cluster, and their restart all at once. See bench/README.md.
import { Brokers } from '../brokers/brokers.js';
import { conditionsOf } from '../conditions.js';
import { FleetMeasurement, memoryOf } from './measure.js';
import { type FleetOptions, readOptions } from './options.js';
import { fleetDocument } from './report/document.js';
import { writeMarkedSection } from '../report/marked-section.js';
import { type FleetResults, type Idle, type KindResults, type Restart, storeResults } from './results.js';
import { fleetKinds, type Kind } from './service.js';

/** Clusters to measure: many links on the usual one, one link on a large one. */
const usual = { masters: 3, replicas: 0 };
const large = { masters: 9, replicas: 0 };

/** Of kinds of which the memory is measured only. */
const nothing = { idle: [], restarts: [] };

const options = readOptions(process.argv.slice(2));
const measured = await measure(options);
const all = options.writes ? storeResults(measured) : measured;
console.log(fleetDocument(all));
if (options.writes) await writeMarkedSection('fleet', fleetDocument(all));

async function measure({ kinds, links, seconds }: FleetOptions): Promise<FleetResults> {
  const results: Partial<Record<Kind, KindResults>> = {};
  for (const kind of kinds) {
    const conditions = conditionsOf({ rounds: 1, seed: 0, pace: { window: seconds * 1_000, warmUp: 0 } });
    const whole = fleetKinds.includes(kind);
    const small = await withCluster(usual, async (brokers) => {
      report(kind, 'memory');
      const memory = await memoryOf(brokers, kind);
      return { memory, ...(whole ? await manyLinks(brokers, kind, links, seconds) : nothing) };
    });
    const single = whole
      ? await withCluster(large, (brokers) => idleLinks(brokers, kind, [1], seconds))
      : nothing.idle;
    results[kind] = { conditions, ...small, idle: [...small.idle, ...single] };
  }
  return results;
}

async function withCluster<T>(plan: typeof usual, work: (brokers: Brokers) => Promise<T>): Promise<T> {
  const brokers = await Brokers.start(plan);
  try {
    return await work(brokers);
  } finally {
    await brokers.stop();
  }
}

async function manyLinks(
  brokers: Brokers,
  kind: Kind,
  links: readonly number[],
  seconds: number,
): Promise<Pick<KindResults, 'idle' | 'restarts'>> {
  const restarts: Restart[] = [];
  const idle = await idleLinks(brokers, kind, links, seconds, async (measurement) => {
    report(kind, 'restart of all services');
    restarts.push(await measurement.restartServices());
    report(kind, 'restart of all nodes');
    restarts.push(await measurement.restartNodes());
  });
  return { idle, restarts };
}

/** Idle intervals of a growing fleet, and what is to be measured then. */
async function idleLinks(
  brokers: Brokers,
  kind: Kind,
  links: readonly number[],
  seconds: number,
  then?: (measurement: FleetMeasurement) => Promise<void>,
): Promise<Idle[]> {
  const measurement = await FleetMeasurement.start(brokers, kind);
  try {
    const idle: Idle[] = [];
    for (const count of links) {
      report(kind, `${String(count)} links`);
      idle.push(await measurement.idle(count, seconds));
    }
    await then?.(measurement);
    return idle;
  } finally {
    await measurement.end();
  }
}

function report(kind: Kind, what: string): void {
  console.error(`  ${performance.now().toFixed(0).padStart(7)} ms  ${kind.padEnd(13)}  ${what}`);
}
