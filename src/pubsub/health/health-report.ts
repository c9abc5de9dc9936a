import type { NodeKey } from '../common/node-address.js';
import { channelKey, distinctName, type ChannelName } from '../common/channel-name.js';
import { ClusterPubSubError } from '../common/errors.js';
import { errorMessage } from '../../util/error-message.js';
import { sum } from '../../util/arrays.js';
import { EngineSnapshots } from './engine-snapshot.js';
import { evaluateHealth, type ClusterReports } from './evaluate-health.js';
import { readHealthLimits, type HealthLimits } from './health-options.js';
import type { ActiveChannels, MasterHealth, PubSubHealth, UnconfirmedSubscription } from './health-types.js';
import type { NodeChannels, NodeReport } from './node-check.js';
import type { ProbeResult } from './probe-runner.js';

const NONE: ReadonlySet<NodeKey> = new Set();
const NO_CHANNELS: ActiveChannels = { count: 0, names: [], listed: false };

/**
 * The health that the nodes and the engines add up to.
 *
 * @param channels whose subscribers the nodes have counted
 * @param prefix removed from their names
 */
export function reportHealth(
  { masters, replicas, foreign, probes }: ClusterReports,
  channels: readonly ChannelName[],
  engines: EngineSnapshots,
  limits: HealthLimits,
  prefix: string,
): PubSubHealth {
  const { maxNames, confirmationTimeout } = limits;
  const nodes = [...masters, ...replicas];
  const replies = nodes.flatMap(({ reply }) => reply ?? []);
  const names = withoutPrefix(channels, prefix);
  const counts = {
    numsub: totals(
      names,
      replies.flatMap(({ numsub }) => (numsub === undefined ? [] : [numsub])),
    ),
    shardNumsub: totals(
      names,
      replies.flatMap(({ shardNumsub }) => (shardNumsub === undefined ? [] : [shardNumsub])),
    ),
  };
  const unconfirmed = engines.unconfirmed(confirmationTimeout);
  const engineHealth = reportEngines(engines, unconfirmed, maxNames);
  const { lastGap } = engineHealth;
  const masterNodes = masters.map((master) => reportMaster(master, engines, probes.get(master.node)));
  return {
    ...evaluateHealth(
      {
        masters,
        replicas,
        foreign,
        probes,
        unconfirmed,
        counts,
        lastGap,
        needed: limits.for === 'readiness' ? engines.needed : NONE,
        waitingForNode: (node) => engines.waitingForNodes(node),
      },
      limits,
    ),
    at: new Date(),
    masters: {
      known: masters.length,
      subscribed: masterNodes.filter(({ subscribed }) => subscribed).length,
      reachable: masterNodes.filter(({ reachable }) => reachable).length,
      nodes: masterNodes,
    },
    replicas: { known: replicas.length, reachable: replicas.filter(({ reply }) => reply).length },
    ...engineHealth,
    ...counts,
    activeChannels: activeChannels(
      replies.map(({ channels }) => channels),
      counts.numsub,
      maxNames,
    ),
    shardChannels: activeChannels(
      replies.map(({ shardChannels }) => shardChannels),
      counts.shardNumsub,
      maxNames,
    ),
    patterns: sum(replies.map(({ patterns }) => patterns)),
    complete: nodes.every(({ reply }) => reply?.refusals.length === 0),
  };
}

/** Health without the cluster: what the engines report, and the error for which no node could be queried. */
export function reportUnavailable(
  error: unknown,
  engines = new EngineSnapshots([]),
  limits = readHealthLimits({}),
): PubSubHealth {
  return {
    ...reportEnginesAlone(engines, limits),
    status: 'down',
    reasons: [errorMessage(error)],
    ...(error instanceof ClusterPubSubError && { code: error.code }),
  };
}

/** Health without a query: `down` if the engine is closed, because it never opens again. */
export function reportEnginesAlone(
  engines = new EngineSnapshots([]),
  limits = readHealthLimits({}),
): PubSubHealth {
  const isClosed = engines.status === 'closed';
  return {
    status: isClosed ? 'down' : 'up',
    reasons: isClosed ? ['The ClusterPubSub is closed.'] : [],
    at: new Date(),
    masters: { known: 0, subscribed: 0, reachable: 0, nodes: [] },
    replicas: { known: 0, reachable: 0 },
    ...reportEngines(engines, engines.unconfirmed(limits.confirmationTimeout), limits.maxNames),
    numsub: {},
    shardNumsub: {},
    activeChannels: NO_CHANNELS,
    shardChannels: NO_CHANNELS,
    patterns: 0,
    complete: false,
  };
}

function reportEngines(
  engines: EngineSnapshots,
  unconfirmed: readonly UnconfirmedSubscription[],
  maxNames: number,
): Pick<PubSubHealth, 'engine' | 'subscriptions' | 'lastGap' | 'queues'> {
  const { status, subscriptions, waitingForSubscribers, unread } = engines;
  return {
    engine: status,
    subscriptions: {
      desired: subscriptions.length,
      confirmed: subscriptions.filter(({ state }) => state.activeNodes.size > 0).length,
      unconfirmed: unconfirmed.slice(0, maxNames),
    },
    lastGap: engines.lastGap(maxNames),
    queues: { waitingForNodes: engines.waitingForNodes(), waitingForSubscribers, unread },
  };
}

function reportMaster(
  { node, reply }: NodeReport,
  engines: EngineSnapshots,
  probe: ProbeResult | undefined,
): MasterHealth {
  // The heartbeat of an unreachable node is from before it became so.
  const last = reply === undefined ? undefined : engines.heartbeat(node);
  const heartbeat = probe === undefined ? last : probe.outcome === 'delivered' ? probe.ms : undefined;
  return {
    node,
    reachable: reply !== undefined,
    subscribed: engines.isSubscribed(node),
    subscriptions: engines.activeOn(node),
    roundTrip: rounded(reply?.roundTrip),
    heartbeat: rounded(heartbeat),
    queued: engines.waitingForNodes(node),
  };
}

/** A name keeps its prefix where another watched channel is called like the rest of it. */
function withoutPrefix(channels: readonly ChannelName[], prefix: string): readonly string[] {
  const names = channels.map((name) => (typeof name === 'string' ? name : distinctName(channelKey(name))));
  if (prefix === '') {
    return names;
  }
  const bare = (name: string): string => (name.startsWith(prefix) ? name.slice(prefix.length) : name);
  const taken = new Set(names.every((name) => name.startsWith(prefix)) ? [] : names);
  return names.map((name) => (taken.has(bare(name)) ? name : bare(name)));
}

/** The counts of all nodes by name; empty where no node was counted. */
function totals(names: readonly string[], counts: readonly (readonly number[])[]): Record<string, number> {
  return counts.length === 0
    ? {}
    : Object.fromEntries(names.map((name, index) => [name, sum(counts.map((count) => count[index] ?? 0))]));
}

/**
 * The different channels in the lists of all nodes, compared as keys: names that are not UTF-8 may look alike. Where a
 * node has too many to list them, the watched channels that have subscribers.
 */
export function activeChannels(
  nodes: readonly NodeChannels[],
  watched: Readonly<Record<string, number>>,
  maxNames: number,
): ActiveChannels {
  const keys = [...new Set(nodes.flatMap(({ names }) => names ?? []))];
  if (nodes.every(({ names }) => names !== undefined)) {
    return { count: keys.length, names: keys.slice(0, maxNames).map(distinctName).sort(), listed: true };
  }
  const names = Object.keys(watched).filter((name) => (watched[name] ?? 0) > 0);
  const count = sum(nodes.map((node) => node.count ?? node.names?.length ?? 0));
  return { count: Math.max(count, names.length), names: names.slice(0, maxNames).sort(), listed: false };
}

/** To the hundredth of a ms. */
function rounded(ms: number | undefined): number | null {
  return ms === undefined ? null : Math.round(ms * 100) / 100;
}
