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

type Columns = readonly [name: string, unit: string, help: string, type?: MetricDefinition['type']];

/** A metric of every source, because each has an engine; 0 before it is created. */
function engine(field: keyof PubSubMetrics, ...columns: Columns): MetricDefinition {
  return defineMetric(({ pubsub }) => pubsub?.[field] ?? 0, ...columns);
}

function client(
  field: Exclude<keyof ClusterPubSubClientMetrics, 'kind' | 'pubsub'>,
  ...columns: Columns
): MetricDefinition {
  return defineMetric((reading) => reading.client?.[field], ...columns);
}

function server(
  field: Exclude<keyof ClusterPubSubServerMetrics, 'kind' | 'pubsub' | 'handlerTime'>,
  ...columns: Columns
): MetricDefinition {
  return defineMetric((reading) => reading.server?.[field], ...columns);
}

function defineMetric(
  read: MetricDefinition['read'],
  ...[name, unit, help, type = 'counter']: Columns
): MetricDefinition {
  return { name, unit, help, type, read };
}

/** In the order of docs/observability.md. */
export const METRICS: readonly MetricDefinition[] = [
  engine('published', 'published', '{message}', 'Messages passed to publish.'),
  engine('publishErrors', 'publish.errors', '{message}', 'Rejected publishes.'),
  engine(
    'retransmitted',
    'retransmitted',
    '{message}',
    'Messages sent again after a lost connection or a slot migration.',
  ),
  engine(
    'migrationPauses',
    'migration_pauses',
    '{pause}',
    'Pauses of a channel while its subscribers followed a migrated slot.',
  ),
  engine('received', 'received', '{message}', 'Messages received, counted once per subscription.'),
  engine('duplicates', 'duplicates', '{message}', 'Duplicates dropped.'),
  engine('missed', 'missed', '{message}', 'Messages known to be missing by their sequence numbers.'),
  engine('gaps', 'gaps', '{gap}', 'Gap events: intervals in which messages may have been missed.'),
  engine('dropped', 'dropped', '{message}', 'Messages dropped because they were not read in time.'),
  engine('undecodable', 'undecodable', '{message}', 'Messages dropped because they are not valid UTF-8.'),
  engine('connectionsLost', 'connections.lost', '{connection}', 'Lost subscriber connections.'),
  engine(
    'reconnects',
    'reconnects',
    '{reconnect}',
    'Interruptions after which all subscriptions were restored.',
  ),
  engine('probes', 'probes', '{probe}', 'Probes sent on silent subscriber connections.'),
  engine('probesLost', 'probes.lost', '{probe}', 'Probes not delivered in time.'),
  engine('moves', 'moved', '{change}', 'Topology changes that moved slots to another master.'),
  defineMetric(
    ({ pubsub }) => (pubsub?.maxDispatchTime ?? 0) / 1_000,
    'max_dispatch_time',
    's',
    'Longest time that handling the messages of one socket read blocked the event loop.',
    'gauge',
  ),
  engine('waiting', 'publishes.waiting', '{message}', 'Messages waiting to be sent.', 'gauge'),
  engine('desired', 'subscriptions.desired', '{subscription}', 'Desired subscriptions.', 'gauge'),
  engine(
    'confirmed',
    'subscriptions.confirmed',
    '{subscription}',
    'Desired subscriptions that Redis has confirmed.',
    'gauge',
  ),
  client('requests', 'requests', '{request}', 'Requests started.'),
  client('timeouts', 'requests.timeouts', '{request}', 'Requests without a response in time.'),
  client('noSubscribers', 'requests.no_subscribers', '{request}', 'Requests without a subscriber.'),
  client('gaps', 'requests.gaps', '{request}', 'Requests whose reply inbox was interrupted.'),
  client('errors', 'requests.errors', '{request}', 'Requests answered with an error.'),
  client('failed', 'requests.failed', '{request}', 'Requests that failed for another reason.'),
  client('cancelled', 'requests.cancelled', '{request}', 'Requests cancelled by the caller.'),
  client('inFlight', 'requests.in_flight', '{request}', 'Requests waiting for a response.', 'gauge'),
  client('events', 'emitted', '{event}', 'Events passed to emit.'),
  server('requests', 'handled.requests', '{request}', 'Requests passed to a handler.'),
  server('events', 'handled.events', '{event}', 'Events passed to handlers.'),
  server('noHandler', 'handled.no_handler', '{request}', 'Requests without a handler on this server.'),
  server('failed', 'handler.errors', '{error}', 'Failed handlers.'),
  server('running', 'handlers.running', '{handler}', 'Running handlers.', 'gauge'),
  defineMetric(
    ({ client: c, server: s }) => c?.malformed ?? s?.malformed,
    'malformed',
    '{message}',
    'Messages dropped because they could not be parsed.',
  ),
];

/** The only histogram; handlers report their duration on a diagnostics channel. */
export const HANDLER_DURATION = {
  name: 'handler.duration',
  unit: 's',
  help: 'Duration of handlers, until their promise or Observable has ended.',
} as const;

/** In seconds. `metrics().handlerTime` has the same bounds, in ms. */
export const DURATION_BUCKETS: readonly number[] = DURATION_BOUNDS.map((ms) => ms / 1_000);
