import { describe, expect, it } from '@jest/globals';
import { METRICS, type Reading } from '../../../src/metrics/metric-definitions.js';
import { newMetrics, type PubSubMetrics } from '../../../src/pubsub/common/metrics.js';
import type {
  ClusterPubSubClientMetrics,
  ClusterPubSubServerMetrics,
} from '../../../src/transport/telemetry/metrics.js';

/** No number twice, and no zeros, so that each metric can come from its own field only. */
const pubsub: PubSubMetrics = {
  published: 2,
  publishErrors: 3,
  retransmitted: 5,
  migrationPauses: 7,
  received: 11,
  duplicates: 13,
  missed: 17,
  gaps: 19,
  dropped: 23,
  undecodable: 29,
  connectionsLost: 31,
  reconnects: 37,
  probes: 41,
  probesLost: 43,
  moves: 47,
  maxDispatchTime: 53,
  waiting: 59,
  desired: 61,
  confirmed: 67,
};
const client: ClusterPubSubClientMetrics = {
  kind: 'client',
  requests: 71,
  timeouts: 73,
  noSubscribers: 79,
  gaps: 83,
  errors: 89,
  failed: 97,
  cancelled: 101,
  events: 103,
  malformed: 107,
  inFlight: 109,
  pubsub,
};
const server: ClusterPubSubServerMetrics = {
  kind: 'server',
  requests: 113,
  events: 127,
  noHandler: 131,
  failed: 137,
  malformed: 139,
  running: 149,
  handlerTime: undefined,
  pubsub,
};

const OF_ENGINES = {
  published: 2,
  'publish.errors': 3,
  retransmitted: 5,
  migration_pauses: 7,
  received: 11,
  duplicates: 13,
  missed: 17,
  gaps: 19,
  dropped: 23,
  undecodable: 29,
  'connections.lost': 31,
  reconnects: 37,
  probes: 41,
  'probes.lost': 43,
  moved: 47,
  max_dispatch_time: 0.053,
  'publishes.waiting': 59,
  'subscriptions.desired': 61,
  'subscriptions.confirmed': 67,
};
const OF_CLIENTS = {
  requests: 71,
  'requests.timeouts': 73,
  'requests.no_subscribers': 79,
  'requests.gaps': 83,
  'requests.errors': 89,
  'requests.failed': 97,
  'requests.cancelled': 101,
  emitted: 103,
  malformed: 107,
  'requests.in_flight': 109,
};
const OF_SERVERS = {
  'handled.requests': 113,
  'handled.events': 127,
  'handled.no_handler': 131,
  'handler.errors': 137,
  malformed: 139,
  'handlers.running': 149,
};

function valuesOf(reading: Reading): Record<string, number> {
  const known = METRICS.map(({ name, read }) => [name, read(reading)] as const);
  return Object.fromEntries(known.filter(([, value]) => value !== undefined)) as Record<string, number>;
}

describe('the metrics, each under the name that is documented,', () => {
  it('of an engine', () => {
    expect(valuesOf({ pubsub, client: undefined, server: undefined })).toEqual(OF_ENGINES);
  });

  it('of a client', () => {
    expect(valuesOf({ pubsub, client, server: undefined })).toEqual({ ...OF_ENGINES, ...OF_CLIENTS });
  });

  it('of a server', () => {
    expect(valuesOf({ pubsub, client: undefined, server })).toEqual({ ...OF_ENGINES, ...OF_SERVERS });
  });

  it('of one that has no engine yet', () => {
    const nothing = Object.fromEntries(Object.keys(OF_ENGINES).map((name) => [name, 0]));
    expect(valuesOf({ pubsub: undefined, client: undefined, server: undefined })).toEqual(nothing);
  });

  it('leave out nothing that is counted', () => {
    const fields = [pubsub, client, server].flatMap((metrics): unknown[] => Object.values(metrics));
    const numbers = fields.filter((value) => typeof value === 'number').sort((one, other) => one - other);
    const told = [OF_ENGINES, OF_CLIENTS, OF_SERVERS].flatMap((values) => Object.values(values));
    expect(
      told.map((value) => (value < 1 ? value * 1_000 : value)).sort((one, other) => one - other),
    ).toEqual(numbers);
    expect(Object.keys(pubsub)).toEqual(expect.arrayContaining(Object.keys(newMetrics())));
  });
});
