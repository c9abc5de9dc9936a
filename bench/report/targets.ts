import { type ArmName, titleOf } from '../arms/index.js';
import type { Sample } from '../sample.js';
import { at, type Metric, metrics, ratioOf, valuesOf, type Where } from './ratios.js';
import { type Spread, spreadOf } from './statistics.js';

/** A target that was set before the first measurement. */
interface Target {
  readonly what: string;
  readonly against: string;
  readonly limit: { readonly atLeast: number } | { readonly atMost: number };
  /** True for a number that is not a ratio. */
  readonly absolute?: true;
  readonly value: (samples: readonly Sample[]) => Spread | undefined;
  /** The same of the hand-written arm: the ceiling. */
  readonly ceiling?: (samples: readonly Sample[]) => Spread | undefined;
}

export interface Judged {
  readonly what: string;
  readonly against: string;
  readonly limit: string;
  readonly value: Spread | undefined;
  readonly unit: '×' | '';
  readonly reached: boolean | undefined;
  readonly ceiling: Spread | undefined;
}

/** The tolerance of "flat", for the gossip of the nodes. */
const flat = 1.1;

const all256: Where = { load: 'requests@256' };
const orders: Where = { load: 'requests, order' };
const orderEvents: Where = { load: 'events, order' };
const underLoad: Where = { load: 'memory' };
const clients16: Where = { load: 'clients', x: 16 };

const targets: readonly Target[] = [
  ratio('requests/s, 256 in flight', all256, 'nest-redis', { atLeast: 4 }),
  ratio('requests/s, 256 in flight', all256, 'nest-nats', { atLeast: 1.6 }),
  ratio('requests/s, 256 in flight', all256, 'nest-tcp', { atLeast: 1 }),
  ratio('requests/s, 256 in flight', all256, 'hand-written', { atLeast: 0.92 }),
  ratio('orders: requests/s, 256 in flight', orders, 'hand-written', { atLeast: 0.95 }),
  ratio('orders: requests/s, 256 in flight', orders, 'nest-redis', { atLeast: 2.8 }),
  ratio('orders: requests/s, 256 in flight', orders, 'nest-tcp', { atLeast: 1 }),
  ratio('orders: requests/s, 256 in flight', orders, 'nest-nats', { atLeast: 1.6 }),
  ratio('orders: CPU of client and server per request', orders, 'nest-tcp', { atMost: 0.9 }, metrics.bothCpu),
  ratio('orders: p99 at 256 in flight', orders, 'nest-tcp', { atMost: 1.2 }, metrics.p99),
  ratio('orders: events/s, sharded', orderEvents, 'nest-redis', { atLeast: 3 }),
  ratio('requests/s, 1 in flight', { load: 'requests@1' }, 'nest-redis', { atLeast: 1.4 }),
  ratio(
    "p99 at half of Nest Redis's top rate",
    { load: 'latency, half' },
    'nest-redis',
    { atMost: 0.4 },
    metrics.p99,
  ),
  ratio('events/s, sharded', { load: 'events' }, 'nest-redis', { atLeast: 3.5 }),
  ratio('events/s, sharded', { load: 'events' }, 'nest-nats', { atLeast: 1.8 }),
  ratio('events/s, sharded', { load: 'events' }, 'nest-tcp', { atLeast: 1.7 }),
  ratio(
    'events/s, classic',
    { load: 'events' },
    'nest-redis',
    { atLeast: 1.4 },
    metrics.rate,
    'ours-classic',
  ),
  ratio('16 client processes on one pattern: requests/s in total', clients16, 'nest-redis', { atLeast: 3.5 }),
  {
    what: 'messages that reach a client per request of its own, 16 clients',
    against: 'itself',
    limit: { atMost: 1 },
    absolute: true,
    value: (samples) => spreadOf(valuesOf(at(samples, clients16, 'ours-sharded'), metrics.arrivals)),
  },
  {
    what: 'events/s over 10,000 channels, to over one',
    against: 'itself',
    limit: { atLeast: 0.8 },
    value: (samples) => {
      const arm = 'ours-sharded';
      const of = (x: number) => ({ arm, where: { load: 'channels', x } }) as const;
      return ratioOf(samples, metrics.rate, of(10_000), of(1));
    },
  },
  ratio(
    'memory of a client after 60 s of load',
    underLoad,
    'nest-redis',
    { atMost: 1.05 },
    metrics.clientRss,
  ),
  ratio(
    'memory of a server after 60 s of load',
    underLoad,
    'nest-redis',
    { atMost: 1.05 },
    metrics.serverRss,
  ),
  ratio('client CPU per request, 256 in flight', all256, 'nest-redis', { atMost: 0.4 }, metrics.clientCpu),
  {
    what: 'bus bytes per sharded message, 9 masters to 3',
    against: 'itself',
    limit: { atMost: flat },
    value: (samples) => {
      const arm = 'ours-sharded';
      const of = (x: number) => ({ arm, where: { load: 'masters', x } }) as const;
      return ratioOf(samples, metrics.busBytes, of(9), of(3));
    },
  },
];

export function judge(samples: readonly Sample[]): Judged[] {
  return targets.map(({ what, against, limit, absolute, value, ceiling }) => {
    const spread = value(samples);
    const unit = absolute === true ? '' : '×';
    const words = 'atLeast' in limit ? `≥ ${limit.atLeast}${unit}` : `≤ ${limit.atMost}${unit}`;
    const reached = spread && isReached(spread, limit);
    return { what, against, limit: words, value: spread, unit, reached, ceiling: ceiling?.(samples) };
  });
}

/** Compares the number as shown: the third decimal is noise. */
function isReached({ median }: Spread, limit: Target['limit']): boolean {
  const shown = Number(median.toFixed(2));
  return 'atLeast' in limit ? shown >= limit.atLeast : shown <= limit.atMost;
}

function ratio(
  what: string,
  where: Where,
  peer: ArmName,
  limit: Target['limit'],
  metric: Metric = metrics.rate,
  arm: ArmName = 'ours-sharded',
): Target {
  return {
    what,
    against: titleOf(peer),
    limit,
    value: (samples) => ratioOf(samples, metric, { arm, where }, { arm: peer, where }),
    ...(arm === 'ours-sharded' && peer !== 'hand-written'
      ? {
          ceiling: (samples) =>
            ratioOf(samples, metric, { arm: 'hand-written', where }, { arm: peer, where }),
        }
      : {}),
  };
}
