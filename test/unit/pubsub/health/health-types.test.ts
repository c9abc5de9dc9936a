import { readFileSync } from 'node:fs';
import { expect, it } from '@jest/globals';
import type { PubSubHealth, PubSubHealthOptions } from '../../../../src/index.js';
import type { ClusterPubSubHealth, ClusterPubSubHealthOptions } from '../../../../src/terminus/index.js';

const at = new Date();

/** Every field there is, by its type: the type checker refuses one too many and one too few. */
const shape: Required<PubSubHealth> & Required<ClusterPubSubHealth> = {
  status: 'down',
  reasons: ['Master 127.0.0.1:7000 is unreachable: it did not answer within 900 ms.'],
  message: 'Master 127.0.0.1:7000 is unreachable: it did not answer within 900 ms.',
  code: 'CLUSTER_UNREACHABLE',
  at,
  engine: 'reconnecting',
  masters: {
    known: 1,
    subscribed: 0,
    reachable: 0,
    nodes: [
      {
        node: '127.0.0.1:7000',
        reachable: false,
        subscribed: false,
        subscriptions: 0,
        roundTrip: null,
        heartbeat: null,
        queued: 3,
      },
    ],
  },
  replicas: { known: 0, reachable: 0 },
  subscriptions: {
    desired: 1,
    confirmed: 0,
    unconfirmed: [{ kind: 'channel', name: 'news', node: '127.0.0.1:7000', for: 2_500 }],
  },
  lastGap: {
    kind: 'channel',
    names: ['news'],
    reason: 'sequence',
    node: null,
    since: at,
    until: at,
    age: 10,
    missed: 1,
  },
  queues: { waitingForNodes: 3, waitingForSubscribers: 0, unread: 0 },
  numsub: { news: 0 },
  shardNumsub: { news: 0 },
  activeChannels: { count: 0, names: [], listed: true },
  shardChannels: { count: 0, names: [], listed: true },
  patterns: 0,
  complete: false,
  requests: { inFlight: 0, handling: 0 },
};

const options: Required<PubSubHealthOptions & Omit<ClusterPubSubHealthOptions, 'pubsub'>> & {
  pubsub: unknown;
} = {
  for: 'readiness',
  channels: ['news'],
  minSubscribers: 1,
  maxGapAge: 60_000,
  confirmationTimeout: 2_000,
  probe: true,
  timeout: 1_000,
  cacheTtl: 1_000,
  maxNames: 100,
  pubsub: undefined,
};

it('every field of the health, and every option, is documented', () => {
  const documentation = readFileSync('docs/health.md', 'utf8');
  for (const field of [...fieldsOf(shape), ...Object.keys(options)]) {
    expect(documentation).toMatch(new RegExp(`\`([\\w.[\\]]+\\.)?${field}(\\[\\])?[.\`]`));
  }
});

/** The names of all fields, but for the channels that are keys. */
function fieldsOf(value: object): string[] {
  return Object.entries(value).flatMap(([name, inner]: [string, unknown]) => {
    if (name === 'numsub' || name === 'shardNumsub' || inner instanceof Date) return [name];
    const one: unknown = Array.isArray(inner) ? inner[0] : inner;
    return typeof one === 'object' && one !== null ? [name, ...fieldsOf(one)] : [name];
  });
}
