import { describe, expect, it } from '@jest/globals';
import { callsBetween, type Reading } from '../../../bench/fleet/node-counters.js';
import { mostFrequent, othersOf, ratesOf } from '../../../bench/fleet/report/commands.js';
import { fleetTargets } from '../../../bench/fleet/report/targets.js';
import type { Idle, KindResults, Restart } from '../../../bench/fleet/results.js';

describe('commands of an idle fleet', () => {
  it('are counted from one reading to the next, by name', () => {
    const before = reading({ ping: 5, publish: 10 });
    const after = reading({ ping: 5, publish: 13, 'cluster|slots': 2 });
    expect([...callsBetween(before, after)]).toEqual([
      ['publish', 3],
      ['cluster|slots', 2],
    ]);
  });

  it('are PING, probes and others', () => {
    const commands = { ping: 1, publish: 2, spublish: 3, 'cluster|slots': 4, 'cluster|info': 5 };
    expect(ratesOf(idle({ commands }))).toEqual({ ping: 1, probes: 5, others: 9 });
    expect(mostFrequent(othersOf(idle({ commands, links: 2 })))).toBe('cluster info 2.5, cluster slots 2.0');
  });
});

describe('the verdict on a fleet', () => {
  it('is by our services of the number and the cluster that a target names', () => {
    const results = {
      ours: {
        idle: [
          idle({ connections: [2, 2, 2], commands: { ping: 9, 'cluster|slots': 2.5 } }),
          idle({ masters: 9, connections: Array<number>(9).fill(3) }),
          idle({ links: 200, commands: { publish: 900, 'cluster|slots': 300 }, nodesCpu: 0.02 }),
        ],
        restarts: [restart('nodes', 9_000), restart('services', 4_000)],
      } as unknown as KindResults,
    };
    expect(fleetTargets(results).map(({ value, atMost }) => [value, atMost])).toEqual([
      [6, 6],
      [27, 18],
      [2.5, 2],
      [0.4, 0.5],
      [1.5, 1.5],
      [2, 3],
      [4, 5],
    ]);
  });

  it('is open where nothing was measured', () => {
    expect(fleetTargets({}).filter(({ value }) => value !== undefined)).toEqual([]);
  });
});

function reading(calls: Record<string, number>): Reading {
  return { at: 0, calls: new Map(Object.entries(calls)), accepted: 0, cpu: undefined };
}

function idle(more: Partial<Idle>): Idle {
  return {
    masters: 3,
    links: 1,
    processes: 1,
    connections: [],
    commands: {},
    nodesCpu: undefined,
    nodesCpuBefore: undefined,
    processesCpu: 0.004,
    ...more,
  };
}

function restart(of: Restart['of'], max: number): Restart {
  return { of, links: 200, processes: 8, ready: { median: 1, max }, cpu: undefined };
}
