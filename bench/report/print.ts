import { type ArmName, titleOf } from '../arms/index.js';
import type { Results } from '../results.js';
import type { Sample } from '../sample.js';
import { spreadWords } from './markdown.js';
import { at, metrics, ratioOf, valuesOf, type Where } from './ratios.js';
import { median } from './statistics.js';
import { judge } from './targets.js';

/** Prints every load with every arm, then the targets. */
export function printReport({ samples, ceiling, link }: Results, arms: readonly ArmName[]): void {
  for (const where of placesOf(samples)) {
    console.log(`\n${where.load}${where.x === undefined ? '' : ` ${where.x}`}`);
    for (const arm of arms) {
      const own = at(samples, where, arm);
      if (own.length > 0) console.log(lineOf(arm, own, ratioToOurs(samples, where, arm)));
    }
  }
  if (ceiling !== undefined) {
    const { publish, spublish } = ceiling;
    console.log(
      `\nredis-benchmark, one node: PUBLISH ${Math.round(publish)}/s, SPUBLISH ${Math.round(spublish)}/s`,
    );
  }
  if (link !== undefined) {
    const [few, many] = [link.few, link.many].map((bytes) => (bytes / 2 ** 20).toFixed(2));
    console.log(`\na link with 10 channels: ${few} MiB, with 10,000: ${many} MiB`);
  }
  const judged = judge(samples).filter(({ value }) => value !== undefined);
  if (judged.length > 0) console.log('\ntargets');
  for (const { what, against, limit, value, unit, reached } of judged) {
    const verdict = reached === true ? 'reached' : 'NOT reached';
    console.log(
      `  ${verdict.padEnd(12)} ${limit.padEnd(7)} ${spreadWords(value, unit).padEnd(24)} ${what}, against ${against}`,
    );
  }
}

function lineOf(arm: ArmName, samples: readonly Sample[], ratio: string): string {
  const middle = (metric: (sample: Sample) => number | undefined, digits = 1): string => {
    const values = valuesOf(samples, metric);
    return values.length === 0 ? '–' : median(values).toFixed(digits);
  };
  const lost = samples.reduce((sum, sample) => sum + sample.lost, 0);
  return [
    `  ${titleOf(arm).padEnd(21)}`,
    `${middle(metrics.rate, 0).padStart(8)}/s`,
    ratio.padStart(26),
    `  CPU μs: client ${middle(metrics.clientCpu)} server ${middle(({ serverCpu }) => serverCpu)} broker ${middle(({ brokerCpu }) => brokerCpu)}`,
    `  ${middle(({ clientBytes }) => clientBytes, 0)} B`,
    ...(samples.some(({ latency }) => latency !== undefined)
      ? [
          `  p50 ${middle(({ latency }) => latency?.p50, 2)} p99 ${middle(metrics.p99, 2)} p99.9 ${middle(({ latency }) => latency?.p999, 2)} ms`,
        ]
      : []),
    ...(lost > 0 ? [`  LOST ${lost}`] : []),
  ].join('');
}

function ratioToOurs(samples: readonly Sample[], where: Where, arm: ArmName): string {
  if (arm === 'ours-sharded') return '';
  const ratio = ratioOf(samples, metrics.rate, { arm: 'ours-sharded', where }, { arm, where });
  return ratio === undefined ? '' : `ours ${spreadWords(ratio, '×')}`;
}

/** Each load at each point, in the order of their first appearance. */
function placesOf(samples: readonly Sample[]): Where[] {
  const places = new Map(samples.map(({ load, x }) => [`${load} ${x ?? ''}`, { load, x }]));
  return [...places.values()];
}
