import type { PubSubMetrics } from '../pubsub/common/metrics.js';
import { DURATION_BOUNDS } from '../transport/telemetry/duration-histogram.js';
import type {
  ClusterPubSubClientMetrics,
  ClusterPubSubServerMetrics,
} from '../transport/telemetry/metrics.js';

/** What the `metrics()` of a server, a client or an engine said, taken apart. */
export interface Reading {
  /** Of the engine itself, or of the one underneath; undefined where there is none yet. */
  readonly pubsub: PubSubMetrics | undefined;
  readonly client: ClusterPubSubClientMetrics | undefined;
  readonly server: ClusterPubSubServerMetrics | undefined;
}

/** One metric, as every adapter knows it. */
export interface MetricDefinition {
  /** With dots; what is exported adds a namespace before it, and Prometheus' suffix after it. */
  readonly name: string;
  /** `counter`: only ever rises, until its source begins anew; `gauge`: what is the case now. */
  readonly type: 'counter' | 'gauge';
  /** In UCUM: `s`, or what is counted in braces. */
  readonly unit: string;
  readonly help: string;
  /** Undefined: a source of this kind has no such thing. */
  readonly read: (reading: Reading) => number | undefined;
}

type Columns = readonly [name: string, type: MetricDefinition['type'], unit: string, help: string];

/** Of every source, for each has an engine; 0 as long as it has not. */
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

/** What docs/observability.md lists, in its order. */
export const METRICS: readonly MetricDefinition[] = [
  engine((m) => m.published, 'published', 'counter', '{message}', 'Messages handed to publish.'),
  engine((m) => m.publishErrors, 'publish.errors', 'counter', '{message}', 'Publishes that were rejected.'),
  engine((m) => m.retransmitted, 'retransmitted', 'counter', '{message}', 'Messages that were sent again.'),
  engine(
    (m) => m.migrationPauses,
    'migration_pauses',
    'counter',
    '{pause}',
    'How often a channel waited for its subscribers to follow a slot.',
  ),
  engine(
    (m) => m.received,
    'received',
    'counter',
    '{message}',
    'Messages that arrived, once a subscription.',
  ),
  engine((m) => m.duplicates, 'duplicates', 'counter', '{message}', 'Second copies that were dropped.'),
  engine((m) => m.missed, 'missed', 'counter', '{message}', 'Messages known to be missing by their numbers.'),
  engine((m) => m.gaps, 'gaps', 'counter', '{gap}', 'Intervals in which messages may have been missed.'),
  engine((m) => m.dropped, 'dropped', 'counter', '{message}', 'Messages that nobody read in time.'),
  engine(
    (m) => m.undecodable,
    'undecodable',
    'counter',
    '{message}',
    'Messages that were no UTF-8, and dropped.',
  ),
  engine(
    (m) => m.connectionsLost,
    'connections.lost',
    'counter',
    '{connection}',
    'Subscriber connections that were lost.',
  ),
  engine(
    (m) => m.reconnects,
    'reconnects',
    'counter',
    '{reconnect}',
    'How often all subscriptions stood again after some had not.',
  ),
  engine((m) => m.probes, 'probes', 'counter', '{probe}', 'Probes of silent subscriber connections.'),
  engine((m) => m.probesLost, 'probes.lost', 'counter', '{probe}', 'Probes that did not come back in time.'),
  engine(
    (m) => m.moves,
    'moved',
    'counter',
    '{change}',
    'Changes of the topology in which slots changed their master.',
  ),
  engine(
    (m) => m.maxDispatchTime / 1_000,
    'max_dispatch_time',
    'gauge',
    's',
    'The longest that the handlers of one read kept the event loop.',
  ),
  engine((m) => m.waiting, 'publishes.waiting', 'gauge', '{message}', 'Messages that wait to be sent.'),
  engine((m) => m.desired, 'subscriptions.desired', 'gauge', '{subscription}', 'Subscriptions wanted.'),
  engine(
    (m) => m.confirmed,
    'subscriptions.confirmed',
    'gauge',
    '{subscription}',
    'Of the subscriptions wanted, those that Redis has confirmed.',
  ),
  client((m) => m.requests, 'requests', 'counter', '{request}', 'Requests that were begun.'),
  client(
    (m) => m.timeouts,
    'requests.timeouts',
    'counter',
    '{request}',
    'Requests without an answer in time.',
  ),
  client(
    (m) => m.noSubscribers,
    'requests.no_subscribers',
    'counter',
    '{request}',
    'Requests nobody serves.',
  ),
  client((m) => m.gaps, 'requests.gaps', 'counter', '{request}', 'Requests whose inbox was interrupted.'),
  client((m) => m.errors, 'requests.errors', 'counter', '{request}', 'Requests answered with an error.'),
  client((m) => m.failed, 'requests.failed', 'counter', '{request}', 'Requests that failed otherwise.'),
  client(
    (m) => m.cancelled,
    'requests.cancelled',
    'counter',
    '{request}',
    'Requests whose asker left before the end.',
  ),
  client((m) => m.inFlight, 'requests.in_flight', 'gauge', '{request}', 'Requests that wait for an answer.'),
  client((m) => m.events, 'emitted', 'counter', '{event}', 'Events handed to emit.'),
  server((m) => m.requests, 'handled.requests', 'counter', '{request}', 'Requests handed to a handler.'),
  server((m) => m.events, 'handled.events', 'counter', '{event}', 'Events handed to handlers.'),
  server(
    (m) => m.noHandler,
    'handled.no_handler',
    'counter',
    '{request}',
    'Requests without a handler here.',
  ),
  server((m) => m.failed, 'handler.errors', 'counter', '{handling}', 'Handlers that failed.'),
  server((m) => m.running, 'handlers.running', 'gauge', '{handling}', 'Handlers that run.'),
  row(
    ({ client: c, server: s }) => c?.malformed ?? s?.malformed,
    ['malformed', 'counter', '{message}', 'Messages that could not be read.'],
  ),
];

/** The one metric that is no number but a distribution, in seconds: fed by `Sources`. */
export const HANDLER_DURATION = {
  name: 'handler.duration',
  unit: 's',
  help: 'How long handlers took, with the Observable they gave.',
} as const;

/** In seconds; those of `metrics().handlerTime`, which are in ms. */
export const DURATION_BUCKETS: readonly number[] = DURATION_BOUNDS.map((ms) => ms / 1_000);
