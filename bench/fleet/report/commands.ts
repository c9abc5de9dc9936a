import type { Idle } from '../results.js';

/** The kinds of commands that an idle interval is judged by. */
export interface CommandRates {
  readonly ping: number;
  /** PUBLISH and SPUBLISH: nobody publishes anything else while nothing happens. */
  readonly probes: number;
  readonly others: number;
}

/** Commands a second at all nodes. */
export function ratesOf({ commands }: Idle): CommandRates {
  const { ping = 0, publish = 0, spublish = 0 } = commands;
  const all = Object.values(commands).reduce((sum, rate) => sum + rate, 0);
  const probes = publish + spublish;
  return { ping, probes, others: all - ping - probes };
}

/** Commands besides PING and probes, a second and link, by their names in `INFO commandstats`. */
export function othersOf({ commands, links }: Idle): Record<string, number> {
  const others = Object.entries(commands).filter(([name]) => !/^(ping|s?publish)$/.test(name));
  return Object.fromEntries(others.map(([name, rate]) => [name, rate / links]));
}

/** The most frequent commands, with their numbers. */
export function mostFrequent(commands: Readonly<Record<string, number>>): string {
  return Object.entries(commands)
    .filter(([, count]) => count >= 0.05)
    .sort(([, one], [, other]) => other - one)
    .slice(0, 3)
    .map(([name, count]) => `${name.replace('|', ' ')} ${count.toFixed(1)}`)
    .join(', ');
}
