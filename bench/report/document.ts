import { type ArmName, armNames, titleOf } from '../arms/index.js';
import { parts } from '../members/profile.js';
import type { Conditions } from '../conditions.js';
import type { Section } from '../options.js';
import { profiledLoads, typicalRequests } from '../loads.js';
import type { Results } from '../results.js';
import type { Sample } from '../sample.js';
import { table, spreadWords } from './markdown.js';
import { at, type Metric, metrics, ratioOf, valuesOf, type Where } from './ratios.js';
import { median } from './statistics.js';
import { judge } from './targets.js';

/** The generated part of docs/performance.md, from all sections that were ever measured in full. */
export function documentOf(recorded: ReadonlyMap<Section, Results>): string {
  const samples = [...recorded].flatMap(([section, results]) =>
    results.samples.filter((sample) => sample.section === section),
  );
  const parts = [
    conditionsOf(recorded, samples),
    heading('Targets', targetsOf(samples)),
    heading(
      'Requests',
      chart('requests'),
      note(
        "Requests per second: median of the rounds, and our rate as a multiple of the peer's (lowest–highest).",
      ),
      ratesOf(samples, ['requests@1', 'requests@64', 'requests@256'], 'ours-sharded'),
      note('Cost of one request at 256 in flight.'),
      costsOf(samples, 'requests@256'),
    ),
    heading(
      'Events',
      chart('events'),
      note(
        'Events per second that reached the handler of the server. All emitted events arrived unless a loss is given.',
      ),
      ratesOf(samples, ['events'], 'ours-sharded'),
      note('Cost of one event.'),
      costsOf(samples, 'events'),
      ceilingOf(recorded.get('events')),
    ),
    heading(
      'A typical payload',
      note(
        'An order of some 900 bytes: nested, and not all Latin-1. 50 patterns, used in turn; 256 requests in flight.',
      ),
      ratesOf(samples, [typicalRequests.name, 'events, order'], 'ours-sharded'),
      note('Cost of one request.'),
      costsOf(samples, typicalRequests.name),
      note('Cost of one event.'),
      costsOf(samples, 'events, order'),
      note('Latency of requests in ms; one in 16 is measured.'),
      latencyAt(samples, [{ load: typicalRequests.name, words: '256 in flight' }]),
    ),
    heading(
      'Larger payloads',
      note('Per second. 32 requests in flight at 64 KiB, 256 at 1 KiB.'),
      ratesOf(
        samples,
        ['requests, 1 KiB', 'requests, 64 KiB', 'events, 1 KiB', 'events, 64 KiB'],
        'ours-sharded',
      ),
    ),
    heading(
      'Where the time of a request goes',
      note(
        "CPU time in μs per request at 256 in flight, by the code that was running: the shares are those of a sampling profiler in each process, the sums those of the table of requests. JSON counts as the code that reads or writes it; the broker's CPU time is extra.",
      ),
      profileOf(samples, profiledLoads[0]!),
      note('The same with a typical payload.'),
      profileOf(samples, profiledLoads[1]!),
    ),
    heading(
      'Memory',
      note(
        'Resident memory of a process after 60 s of requests with a typical payload, 256 in flight, in MiB.',
      ),
      residentOf(samples),
      linkOf(recorded.get('memory')),
    ),
    heading('Latency at a fixed rate', chart('latency'), latencyNote(samples), latencyOf(samples)),
    heading(
      'Scaling',
      note('Clients on one pattern, 256 requests in flight in total: requests per second of all clients.'),
      chart('clients'),
      curveOf(samples, 'clients', metrics.rate),
      note('Messages that reach a client per request of its own.'),
      curveOf(samples, 'clients', metrics.arrivals, 2),
      note('Channels, used in turn: events per second.'),
      chart('channels'),
      curveOf(samples, 'channels', metrics.rate),
      note('Masters, with a replica each, all on the same cores; 64 channels: events per second.'),
      curveOf(samples, 'masters', metrics.rate),
      note(
        'Bytes on the cluster bus per event: bytes that the nodes wrote (`/proc/<pid>/io`) less those that they count as written to clients (`INFO stats`).',
      ),
      chart('masters'),
      curveOf(samples, 'masters', metrics.busBytes),
      note('Subscribers of one channel: deliveries per second to all of them.'),
      chart('subscribers'),
      curveOf(samples, 'subscribers', metrics.rate),
    ),
  ];
  return parts.filter((part) => part !== '').join('\n\n');
}

/** A section with its paragraphs, or nothing if it has only notes and charts. */
function heading(title: string, ...paragraphs: readonly string[]): string {
  return paragraphs.some((paragraph) => paragraph.startsWith('|'))
    ? [`## ${title}`, ...paragraphs.filter((paragraph) => paragraph !== '')].join('\n\n')
    : '';
}

const note = (words: string): string => words;
const chart = (name: string): string => `![${name}](../bench/results/${name}.svg)`;

function conditionsOf(recorded: ReadonlyMap<Section, Results>, samples: readonly Sample[]): string {
  const rows = [...recorded].map(([section, { conditions }]) => `- ${section}: ${wordsOf(conditions)}`);
  return ['Measured by `npm run bench`:', '', ...rows, '', lossesOf(samples)].join('\n');
}

/** Messages that were sent and never answered or received. */
function lossesOf(samples: readonly Sample[]): string {
  const losses = samples.filter(({ lost }) => lost > 0);
  const where = losses.map(
    ({ arm, load, x, lost }) =>
      `${titleOf(arm)}: ${grouped(lost)} (${load}${x === undefined ? '' : ` ${x}`})`,
  );
  const all = `Measurements with lost messages, of ${grouped(samples.length)}: `;
  return `${all}${losses.length === 0 ? 'none' : where.join(', ')}.`;
}

function wordsOf({ day, cores, loadBefore, versions, rounds, warmUp, window }: Conditions): string {
  const software = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  return `${day}, ${rounds} rounds of ${window} ms after ${warmUp} ms of warm-up, ${cores} cores for all, load average before it ${loadBefore}; ${software.join(', ')}.`;
}

function targetsOf(samples: readonly Sample[]): string {
  const rows = judge(samples).map(({ what, against, limit, value, unit, reached, ceiling }) => [
    what,
    against,
    limit,
    spreadWords(value, unit),
    reached === undefined ? 'not measured' : reached ? 'reached' : '**not reached**',
    ceiling === undefined ? '' : spreadWords(ceiling, unit),
  ]);
  return table(['', 'against', 'target', 'measured', '', 'hand-written ioredis'], rows);
}

function ratesOf(samples: readonly Sample[], loads: readonly string[], ours: ArmName): string {
  const measured = loads.filter((load) => samples.some((sample) => sample.load === load));
  if (measured.length === 0) return '';
  const rows = armNames.flatMap((arm) => {
    if (measured.every((load) => at(samples, { load }, arm).length === 0)) return [];
    const cells = measured.flatMap((load) => {
      const ratio = ratioOf(samples, metrics.rate, { arm: ours, where: { load } }, { arm, where: { load } });
      return [rateWords(at(samples, { load }, arm)), arm === ours ? '' : spreadWords(ratio, '×')];
    });
    return [[titleOf(arm), ...cells]];
  });
  return table(['', ...measured.flatMap((load) => [load.replace('@', ' at '), `${titleOf(ours)} is`])], rows);
}

/** A rate, with the number of lost messages if there were any. */
function rateWords(samples: readonly Sample[]): string {
  const lost = samples.reduce((sum, sample) => sum + sample.lost, 0);
  return `${middle(samples, metrics.rate)}${lost > 0 ? ` (${grouped(lost)} lost)` : ''}`;
}

function costsOf(samples: readonly Sample[], load: string): string {
  const rows = armNames.flatMap((arm) => {
    const own = at(samples, { load }, arm);
    if (own.length === 0) return [];
    const mega =
      (metric: (sample: Sample) => number): Metric =>
      (sample) =>
        metric(sample) / 2 ** 20;
    return [
      [
        titleOf(arm),
        middle(own, ({ clientCpu }) => clientCpu, 1),
        middle(own, ({ serverCpu }) => serverCpu, 1),
        middle(own, ({ brokerCpu }) => brokerCpu, 1),
        middle(own, ({ clientBytes }) => clientBytes),
        middle(own, ({ busBytes }) => busBytes),
        middle(
          own,
          mega(({ clientRss }) => clientRss),
        ),
        middle(
          own,
          mega(({ serverRss }) => serverRss),
        ),
        middle(own, ({ clientLoopDelay }) => clientLoopDelay, 1),
        middle(own, ({ serverLoopDelay }) => serverLoopDelay, 1),
      ],
    ];
  });
  const head = [
    '',
    'client CPU, μs',
    'server CPU, μs',
    'broker CPU, μs',
    "bytes on the client's sockets",
    'bytes on the cluster bus',
    'client, MiB',
    'server, MiB',
    "client's event loop delay (p99), ms",
    "server's event loop delay (p99), ms",
  ];
  return rows.length === 0 ? '' : table(head, rows);
}

/** Profiler shares, applied to the cost of a request without the profiler, which slows everything down. */
function profileOf(
  samples: readonly Sample[],
  { name, undisturbed }: (typeof profiledLoads)[number],
): string {
  const columns = armNames.flatMap((arm) => {
    const own = at(samples, { load: name }, arm);
    const full = at(samples, { load: undisturbed }, arm);
    return own.length === 0 || full.length === 0
      ? []
      : (['client', 'server'] as const).map((side) => ({ arm, side, own, full }));
  });
  if (columns.length === 0) return '';
  const rows = parts.map((part) => [
    part,
    ...columns.map(({ side, own, full }) => {
      const share = median(
        valuesOf(own, (sample) => (sample.profile?.[side][part] ?? 0) / cpuOf(side)(sample)),
      );
      return grouped(share * median(full.map(cpuOf(side))), 2);
    }),
  ]);
  const sums = columns.map(({ side, full }) => grouped(median(full.map(cpuOf(side))), 2));
  return table(
    ['', ...columns.map(({ arm, side }) => `${titleOf(arm)}: ${side}`)],
    [...rows, ['**all**', ...sums]],
  );
}

const cpuOf =
  (side: 'client' | 'server') =>
  ({ clientCpu, serverCpu }: Sample): number =>
    side === 'client' ? clientCpu : serverCpu;

function ceilingOf(results: Results | undefined): string {
  if (results?.ceiling === undefined) return '';
  const { publish, spublish } = results.ceiling;
  return `The broker's own ceiling, by \`redis-benchmark -P 16\` to one node without subscribers: ${grouped(publish)} PUBLISH/s, ${grouped(spublish)} SPUBLISH/s.`;
}

function residentOf(samples: readonly Sample[]): string {
  const rows = armNames.flatMap((arm) => {
    const own = at(samples, { load: 'memory' }, arm);
    const mebi = (metric: Metric): string => middle(own, (sample) => (metric(sample) ?? NaN) / 2 ** 20);
    return own.length === 0 ? [] : [[titleOf(arm), mebi(metrics.clientRss), mebi(metrics.serverRss)]];
  });
  return rows.length === 0 ? '' : table(['', 'client', 'server'], rows);
}

function linkOf(results: Results | undefined): string {
  if (results?.link === undefined) return '';
  const { few, many } = results.link;
  const more = grouped((many - few) / 2 ** 20, 1);
  return `A link that is subscribed to 10,000 channels, and has published to and received from each, holds ${more} MiB more than one with 10 (heap and external memory after a garbage collection; the target is at most 12).`;
}

function latencyNote(samples: readonly Sample[]): string {
  const rates = ['latency, quarter', 'latency, half'].map((load) =>
    middle(at(samples, { load }, 'ours-sharded'), metrics.rate),
  );
  return `At a quarter and at half of the top rate of Nest Redis (${rates.join('/s and ')}/s), in ms from the due time of each request. Due requests are sent once a millisecond, which is included in every number.`;
}

function latencyOf(samples: readonly Sample[]): string {
  return latencyAt(samples, [
    { load: 'latency, quarter', words: 'quarter' },
    { load: 'latency, half', words: 'half' },
  ]);
}

/** The last load is the one that is compared. */
function latencyAt(samples: readonly Sample[], loads: readonly { load: string; words: string }[]): string {
  const rows = armNames.flatMap((arm) => {
    const cells = loads.map(({ load }) => at(samples, { load }, arm));
    if (cells.every((own) => own.length === 0)) return [];
    const of = (own: readonly Sample[]): string[] => [
      middle(own, ({ latency }) => latency?.p50, 2),
      middle(own, ({ latency }) => latency?.p99, 2),
      middle(own, ({ latency }) => latency?.p999, 2),
    ];
    const where: Where = { load: loads.at(-1)?.load ?? '' };
    const ratio = ratioOf(samples, metrics.p99, { arm: 'ours-sharded', where }, { arm, where });
    return [[titleOf(arm), ...cells.flatMap(of), arm === 'ours-sharded' ? '' : spreadWords(ratio, '×')]];
  });
  const percentiles = (share: string): string[] => ['p50', 'p99', 'p99.9'].map((name) => `${share}: ${name}`);
  const head = ['', ...loads.flatMap(({ words }) => percentiles(words)), "ours's p99 is"];
  return rows.length === 0 ? '' : table(head, rows);
}

function curveOf(samples: readonly Sample[], load: string, metric: Metric, digits = 0): string {
  const xs = [...new Set(samples.filter((sample) => sample.load === load).map(({ x }) => x))];
  const rows = armNames.flatMap((arm) => {
    const cells = xs.map((x) => middle(at(samples, { load, x }, arm), metric, digits));
    return cells.every((cell) => cell === '–') ? [] : [[titleOf(arm), ...cells]];
  });
  return rows.length === 0 ? '' : table([load, ...xs.map((x) => grouped(x ?? 0))], rows);
}

function middle(samples: readonly Sample[], metric: Metric, digits = 0): string {
  const values = valuesOf(samples, metric);
  return values.length === 0 ? '–' : grouped(median(values), digits);
}

function grouped(value: number, digits = 0): string {
  return value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits });
}
