import { type ArmName, armNames, titleOf } from '../arms/index.js';
import type { Sample } from '../sample.js';
import { at, type Metric, metrics, valuesOf } from './ratios.js';
import { median, spreadOf } from './statistics.js';
import { barChart, type Line, lineChart } from './svg.js';

/** The charts, by file name. */
export function chartsOf(samples: readonly Sample[]): ReadonlyMap<string, string> {
  const charts = [
    bars('requests', samples, 'requests@256', 'Requests, 256 in flight', 'a second', metrics.rate),
    bars('events', samples, 'events', 'Events', 'a second', metrics.rate),
    bars(
      'latency',
      samples,
      'latency, half',
      "p99 at half of Nest Redis's top rate",
      'ms; less is better',
      metrics.p99,
    ),
    curve('clients', samples, 'Requests of all clients', 'a second', metrics.rate),
    curve('channels', samples, 'Events, by channels', 'a second', metrics.rate),
    curve('masters', samples, 'Cluster bus, by masters', 'bytes a message; less is better', metrics.busBytes),
    curve('subscribers', samples, 'Deliveries, by subscribers of a channel', 'a second', metrics.rate),
  ];
  return new Map(charts.filter((chart) => chart !== undefined));
}

/** The same in every chart. */
function colorOf(arm: ArmName): string {
  if (arm === 'ours-sharded') return '#d9480f';
  return arm === 'ours-classic' ? '#f59f00' : '#868e96';
}

type Chart = readonly [name: string, svg: string];

function bars(
  name: string,
  samples: readonly Sample[],
  load: string,
  title: string,
  unit: string,
  metric: Metric,
): Chart | undefined {
  const drawn = armNames.flatMap((arm) => {
    const spread = spreadOf(valuesOf(at(samples, { load }, arm), metric));
    if (spread === undefined) return [];
    const { median: value, min, max } = spread;
    return [{ label: titleOf(arm), value, min, max, color: colorOf(arm) }];
  });
  return drawn.length === 0 ? undefined : [name, barChart(title, unit, drawn)];
}

function curve(
  load: string,
  samples: readonly Sample[],
  title: string,
  unit: string,
  metric: Metric,
): Chart | undefined {
  const own = samples.filter((sample) => sample.load === load);
  const lines = armNames.flatMap((arm): Line[] => {
    const ofArm = own.filter((sample) => sample.arm === arm);
    const xs = [...new Set(ofArm.map(({ x }) => x))].filter((x) => x !== undefined);
    const points = xs.flatMap((x) => {
      const values = valuesOf(at(ofArm, { load, x }, arm), metric);
      return values.length === 0 ? [] : [{ x, y: median(values) }];
    });
    return points.length === 0 ? [] : [{ label: titleOf(arm), points, color: colorOf(arm) }];
  });
  return lines.length === 0 ? undefined : [load, lineChart(title, unit, load, lines)];
}
