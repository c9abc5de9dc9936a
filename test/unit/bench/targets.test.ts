import { describe, expect, it } from '@jest/globals';
import type { ArmName } from '../../../bench/arms/index.js';
import { judge } from '../../../bench/report/targets.js';
import type { Sample } from '../../../bench/sample.js';

describe('the verdict on what was promised', () => {
  it('is by the median of the ratios of each round, not by the ratio of medians', () => {
    const samples = [
      ...rounds('ours-sharded', 'requests@256', [40, 100, 90]),
      ...rounds('nest-redis', 'requests@256', [10, 20, 30]),
    ];

    expect(verdictOn('requests/s, 256 in flight', 'Nest Redis', samples)).toMatchObject({
      value: { median: 4, min: 3, max: 5, count: 3 },
      limit: '≥ 4×',
      reached: true,
    });
  });

  it('leaves out rounds in which one of the two was not measured', () => {
    const samples = [
      ...rounds('ours-sharded', 'requests@256', [10, 1_000]),
      ...rounds('nest-redis', 'requests@256', [10]),
    ];

    expect(verdictOn('requests/s, 256 in flight', 'Nest Redis', samples)).toMatchObject({
      value: { median: 1, count: 1 },
      reached: false,
    });
  });

  it('wants less where less is better', () => {
    const latency = (p99: number) => ({ latency: { p50: 1, p99, p999: 20 } });
    const samples = [
      sample('ours-sharded', 'latency, half', latency(4)),
      sample('nest-redis', 'latency, half', latency(10)),
    ];

    expect(verdictOn("p99 at half of Nest Redis's top rate", 'Nest Redis', samples).reached).toBe(true);
  });

  it('compares a point of a curve with another of the same arm', () => {
    const samples = [
      sample('ours-sharded', 'masters', { x: 3, busBytes: 2_300 }),
      sample('ours-sharded', 'masters', { x: 9, busBytes: 7_000 }),
    ];

    const verdict = verdictOn('bus bytes per sharded message, 9 masters to 3', 'itself', samples);
    expect(verdict.value?.median).toBeCloseTo(3.04, 2);
    expect(verdict.reached).toBe(false);
  });

  it('is open where nothing was measured', () => {
    expect(judge([]).every(({ reached, value }) => reached === undefined && value === undefined)).toBe(true);
  });
});

function verdictOn(what: string, against: string, samples: readonly Sample[]) {
  const verdict = judge(samples).find((judged) => judged.what === what && judged.against === against);
  if (verdict === undefined) throw new Error(`Nothing is promised as to "${what}" against ${against}.`);
  return verdict;
}

function rounds(arm: ArmName, load: string, rates: readonly number[]): Sample[] {
  return rates.map((rate, round) => sample(arm, load, { rate, round }));
}

function sample(arm: ArmName, load: string, values: Partial<Sample>): Sample {
  return {
    section: 'requests',
    load,
    arm,
    round: 0,
    rate: 1,
    clientCpu: 1,
    serverCpu: 1,
    brokerCpu: 1,
    clientBytes: 1,
    arrivals: undefined,
    brokerBytes: undefined,
    busBytes: undefined,
    clientRss: 1,
    serverRss: 1,
    clientLoopDelay: 1,
    serverLoopDelay: 1,
    latency: undefined,
    lost: 0,
    ...values,
  };
}
