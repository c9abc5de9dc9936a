import type { ArmName } from '../arms/index.js';
import type { Sample } from '../sample.js';
import { type Spread, spreadOf } from './statistics.js';

export type Metric = (sample: Sample) => number | undefined;

/** Selects samples, apart from their arm. */
export interface Where {
  readonly load: string;
  readonly x?: number | undefined;
}

export const metrics = {
  rate: ({ rate }) => rate,
  p99: ({ latency }) => latency?.p99,
  clientCpu: ({ clientCpu }) => clientCpu,
  bothCpu: ({ clientCpu, serverCpu }) => clientCpu + serverCpu,
  arrivals: ({ arrivals }) => arrivals,
  clientRss: ({ clientRss }) => clientRss,
  serverRss: ({ serverRss }) => serverRss,
  busBytes: ({ busBytes }) => busBytes,
} satisfies Record<string, Metric>;

export function at(samples: readonly Sample[], { load, x }: Where, arm: ArmName): Sample[] {
  return samples.filter((sample) => sample.load === load && sample.x === x && sample.arm === arm);
}

export function valuesOf(samples: readonly Sample[], metric: Metric): number[] {
  return samples.map(metric).filter((value) => value !== undefined);
}

/** Ratios are taken per round, because a busy machine slows down both arms of a round. */
export function ratioOf(
  samples: readonly Sample[],
  metric: Metric,
  ours: { readonly arm: ArmName; readonly where: Where },
  theirs: { readonly arm: ArmName; readonly where: Where },
): Spread | undefined {
  const others = at(samples, theirs.where, theirs.arm);
  const ratios = at(samples, ours.where, ours.arm).flatMap((sample) => {
    const other = others.find(({ round }) => round === sample.round);
    const [value, base] = [metric(sample), other && metric(other)];
    return value === undefined || base === undefined ? [] : [value / base];
  });
  return spreadOf(ratios);
}
