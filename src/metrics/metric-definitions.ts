import type { PubSubMetrics } from '../pubsub/common/metrics.js';
import { DURATION_BOUNDS } from '../transport/telemetry/duration-histogram.js';
import type {
  ClusterPubSubClientMetrics,
  ClusterPubSubServerMetrics,
} from '../transport/telemetry/metrics.js';

/** The result of `metrics()` of a server, a client or an engine, by part. */
export interface Reading {
  /** Of the engine itself, or of the engine of the server or client; undefined where there is none yet. */
  readonly pubsub: PubSubMetrics | undefined;
  readonly client: ClusterPubSubClientMetrics | undefined;
  readonly server: ClusterPubSubServerMetrics | undefined;
}

/** One metric, independent of the adapter that exports it. */
export interface MetricDefinition {
  /** Separated by dots. Adapters add a namespace, and Prometheus its suffix. */
  readonly name: string;
  /** A `counter` only rises, until its source restarts; a `gauge` is a current value. */
  readonly type: 'counter' | 'gauge';
  /** In UCUM: `s`, or the counted thing in braces. */
  readonly unit: string;
  readonly help: string;
  /** Undefined where sources of this kind do not have the metric. */
  readonly read: (reading: Reading) => number | undefined;
}

type Columns = readonly [name: string, type: MetricDefinition['type'], unit: string, help: string];

/** A metric of every source, because each has an engine; 0 before it is created. */
function engine(read: (metrics: PubSubMetrics) => number, ...columns: Columns): MetricDefinition {
  return row(({ pubsub }) => (pubsub === undefined ? 0 : read(pubsub)), columns);
}

function client(
  read: (metrics: ClusterPubSubClientMetrics) => number,
  ...columns: Columns
): MetricDefinition {
  return row((reading) => reading.client && read(reading.client), columns);
}

function server(
  read: (metrics: ClusterPubSubServerMetrics) => number,
  ...columns: Columns
): MetricDefinition {
  return row((reading) => reading.server && read(reading.server), columns);
}

function row(read: MetricDefinition['read'], [name, type, unit, help]: Columns): MetricDefinition {
  return { name, type, unit, help, read };
}

/** In the order of docs/observability.md. */
export const METRICS: readonly MetricDefinition[] = [
  engine((m) => m.published, 'published', 'counter', '{message}', 'Messages passed to publish.'),
  engine((m) => m.publishErrors, 'publish.errors', 'counter', '{message}', 'Rejected publishes.'),
  engine(
    (m) => m.retransmitted,
    'retransmitted',
    'counter',
    '{message}',
    'Messages sent again after a lost connection or a slot migration.',
  ),
  engine(
    (m) => m.migrationPauses,
    'migration_pauses',
    'counter',
    '{pause}',
    'Pauses of a channel while its subscribers followed a migrated slot.',
  ),
  engine(
    (m) => m.received,
    'received',
    'counter',
    '{message}',
    'Messages received, counted once per subscription.',
  ),
  engine((m) => m.duplicates, 'duplicates', 'counter', '{message}', 'Duplicates dropped.'),
  engine(
    (m) => m.missed,
    'missed',
    'counter',
    '{message}',
    'Messages known to be missing by their sequence numbers.',
  ),
  engine(
    (m) => m.gaps,
    'gaps',
    'counter',
    '{gap}',
    'Gap events: intervals in which messages may have been missed.',
  ),
  engine(
    (m) => m.dropped,
    'dropped',
    'counter',
    '{message}',
    'Messages dropped because they were not read in time.',
  ),
  engine(
    (m) => m.undecodable,
    'undecodable',
    'counter',
    '{message}',
    'Messages dropped because they are not valid UTF-8.',
  ),
  engine(
    (m) => m.connectionsLost,
    'connections.lost',
    'counter',
    '{connection}',
    'Lost subscriber connections.',
  ),
  engine(
    (m) => m.reconnects,
    'reconnects',
    'counter',
    '{reconnect}',
    'Interruptions after which all subscriptions were restored.',
  ),
  engine((m) => m.probes, 'probes', 'counter', '{probe}', 'Probes sent on silent subscriber connections.'),
  engine((m) => m.probesLost, 'probes.lost', 'counter', '{probe}', 'Probes not delivered in time.'),
  engine(
    (m) => m.moves,
    'moved',
    'counter',
    '{change}',
    'Topology changes that moved slots to another master.',
  ),
  engine(
    (m) => m.maxDispatchTime / 1_000,
    'max_dispatch_time',
    'gauge',
    's',
    'Longest time that handling the messages of one socket read blocked the event loop.',
  ),
  engine((m) => m.waiting, 'publishes.waiting', 'gauge', '{message}', 'Messages waiting to be sent.'),
  engine((m) => m.desired, 'subscriptions.desired', 'gauge', '{subscription}', 'Desired subscriptions.'),
  engine(
    (m) => m.confirmed,
    'subscriptions.confirmed',
    'gauge',
    '{subscription}',
    'Desired subscriptions that Redis has confirmed.',
  ),
  client((m) => m.requests, 'requests', 'counter', '{request}', 'Requests sent.'),
  client(
    (m) => m.timeouts,
    'requests.timeouts',
    'counter',
    '{request}',
    'Requests without a response in time.',
  ),
  client(
    (m) => m.noSubscribers,
    'requests.no_subscribers',
    'counter',
    '{request}',
    'Requests without a subscriber.',
  ),
  client(
    (m) => m.gaps,
    'requests.gaps',
    'counter',
    '{request}',
    'Requests whose reply inbox was interrupted.',
  ),
  client((m) => m.errors, 'requests.errors', 'counter', '{request}', 'Requests answered with an error.'),
  client(
    (m) => m.failed,
    'requests.failed',
    'counter',
    '{request}',
    'Requests that failed for another reason.',
  ),
  client(
    (m) => m.cancelled,
    'requests.cancelled',
    'counter',
    '{request}',
    'Requests cancelled by the caller.',
  ),
  client((m) => m.inFlight, 'requests.in_flight', 'gauge', '{request}', 'Requests waiting for a response.'),
  client((m) => m.events, 'emitted', 'counter', '{event}', 'Events passed to emit.'),
  server((m) => m.requests, 'handled.requests', 'counter', '{request}', 'Requests passed to a handler.'),
  server((m) => m.events, 'handled.events', 'counter', '{event}', 'Events passed to handlers.'),
  server(
    (m) => m.noHandler,
    'handled.no_handler',
    'counter',
    '{request}',
    'Requests without a handler on this server.',
  ),
  server((m) => m.failed, 'handler.errors', 'counter', '{error}', 'Failed handlers.'),
  server((m) => m.running, 'handlers.running', 'gauge', '{handler}', 'Running handlers.'),
  row(
    ({ client: c, server: s }) => c?.malformed ?? s?.malformed,
    ['malformed', 'counter', '{message}', 'Messages dropped because they could not be parsed.'],
  ),
];

/** The only histogram; its values come from {@link MetricSources}. */
export const HANDLER_DURATION = {
  name: 'handler.duration',
  unit: 's',
  help: 'Duration of handlers, until their promise or Observable has ended.',
} as const;

/** In seconds. `metrics().handlerTime` has the same bounds, in ms. */
export const DURATION_BUCKETS: readonly number[] = DURATION_BOUNDS.map((ms) => ms / 1_000);
