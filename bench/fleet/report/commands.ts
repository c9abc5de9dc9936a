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

/** The most frequent commands besides PING and probes, by their names in `INFO commandstats`. */
export function frequentOthers({ commands, links }: Idle): string {
  return Object.entries(commands)
    .filter(([name, rate]) => !/^(ping|s?publish)$/.test(name) && rate / links >= 0.05)
    .sort(([, one], [, other]) => other - one)
    .slice(0, 3)
    .map(([name, rate]) => `${name.replace('|', ' ')} ${(rate / links).toFixed(1)}`)
    .join(', ');
}
