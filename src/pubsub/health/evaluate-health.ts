import type { NodeKey } from '../common/node-address.js';
import type { PubSubHealth, PubSubHealthStatus, UnconfirmedSubscription } from './health-types.js';
import type { HealthLimits } from './health-options.js';
import type { NodeReport, Refusal } from './node-check.js';
import type { ProbeResult } from './probe-runner.js';
import { errorReason } from '../../util/error-message.js';
import { firstFew } from '../../util/arrays.js';

const MAX_NAMES_PER_REASON = 5;

const UNNEEDED = 'This process has no subscription there, and has not published to it lately.';

const KIND_LABELS = { channel: 'channel', pattern: 'pattern', shard: 'shard channel' } as const;

/** The replies of the nodes and the probes. */
export interface ClusterReports {
  readonly masters: readonly NodeReport[];
  /** Replicas and all other nodes without slots. */
  readonly replicas: readonly NodeReport[];
  /** While nodes of other clusters alone answer: what they are, one sentence each. */
  readonly foreign: readonly string[];
  /** By master; empty without `probe`. */
  readonly probes: ReadonlyMap<NodeKey, ProbeResult>;
}

export interface HealthInput extends ClusterReports {
  /** Every subscription that has been unconfirmed for longer than `confirmationTimeout`. */
  readonly unconfirmed: readonly UnconfirmedSubscription[];
  readonly counts: Pick<PubSubHealth, 'numsub' | 'shardNumsub'>;
  readonly lastGap: PubSubHealth['lastGap'];
  /** The masters where this process has subscriptions, or to which it has published lately. */
  readonly needed: ReadonlySet<NodeKey>;
  /** The number of messages that wait for a node. */
  readonly waitingForNode: (node: NodeKey) => number;
}

export interface HealthResult {
  readonly status: PubSubHealthStatus;
  readonly reasons: readonly string[];
}

/** The one place that decides what is `down` and what is only `degraded`. */
export function evaluateHealth(input: HealthInput, limits: HealthLimits): HealthResult {
  const tooFew = tooFewSubscribers(input, limits);
  const isNeeded = neededBy(input, limits);
  const [unneeded, masters] = [partOf(input, (node) => !isNeeded(node)), partOf(input, isNeeded)];
  const clusterState = failedClusterState(input);
  const isStateDown = limits.for === 'people' || isRefusingMessages(masters);
  const down = [
    ...input.foreign,
    ...unreachableMasters(masters),
    ...(isStateDown ? clusterState : []),
    ...failedProbes(masters),
    ...unconfirmedSubscriptions(input, limits),
    ...(tooFew.certain ? tooFew.reasons : []),
    ...recentGap(input, limits),
  ];
  const degraded = [
    ...[...unreachableMasters(unneeded), ...failedProbes(unneeded)].map((reason) => `${reason} ${UNNEEDED}`),
    ...(isStateDown ? [] : clusterState),
    ...unreachableReplicas(input),
    ...refusedCommands(input),
    ...refusedProbes(input),
    ...(tooFew.certain ? [] : tooFew.reasons),
  ];
  const status = down.length > 0 ? 'down' : degraded.length > 0 ? 'degraded' : 'up';
  return { status, reasons: [...down, ...degraded] };
}

/** For people, and while no master answers, all of them are. */
function neededBy({ masters, needed }: HealthInput, limits: HealthLimits): (node: NodeKey) => boolean {
  const all = limits.for === 'people' || masters.every(({ reply }) => reply === undefined);
  return (node) => all || needed.has(node);
}

function partOf(input: HealthInput, includes: (node: NodeKey) => boolean): HealthInput {
  return { ...input, masters: input.masters.filter(({ node }) => includes(node)) };
}

/**
 * Whether a cluster that reports `cluster_state:fail` refuses what this process publishes. By default it does not: PUBLISH
 * has no key, and `cluster-allow-pubsubshard-when-down` is on, so that other shards serve on while one has no master.
 */
function isRefusingMessages({ masters, waitingForNode }: HealthInput): boolean {
  return masters.some(({ node, reply }) => reply?.works === false && waitingForNode(node) > 0);
}

function unreachableMasters({ masters }: HealthInput): string[] {
  return masters
    .filter(({ reply }) => reply === undefined)
    .map(({ node, unreachable }) => `Master ${node} is unreachable: ${String(unreachable)}.`);
}

/**
 * Masters without a majority, or with slots that nobody owns. They refuse commands on keys; `cluster-allow-pubsubshard-when-down`
 * decides about shard channels.
 */
function failedClusterState({ masters }: HealthInput): string[] {
  const failed = masters.filter(({ reply }) => reply?.works === false).map(({ node }) => node);
  return failed.length === 0
    ? []
    : [`Cluster state is "fail" according to ${firstFew(failed, MAX_NAMES_PER_REASON, String)}.`];
}

function failedProbes({ masters, probes }: HealthInput): string[] {
  return masters.flatMap(({ node, reply }) => {
    const probe = probes.get(node);
    // An unreachable node is already reported above.
    return reply !== undefined && probe?.outcome === 'lost'
      ? [`Probe of master ${node} failed: ${probe.reason}.`]
      : [];
  });
}

function unconfirmedSubscriptions(
  { unconfirmed }: HealthInput,
  { confirmationTimeout }: HealthLimits,
): string[] {
  if (unconfirmed.length === 0) {
    return [];
  }
  const names = firstFew(
    unconfirmed,
    MAX_NAMES_PER_REASON,
    ({ kind, name, node }) => `${KIND_LABELS[kind]} "${name}" on ${node ?? 'no node'}`,
  );
  return [`Not confirmed by Redis for more than ${String(confirmationTimeout)} ms: ${names}.`];
}

/**
 * Certain only where every node was counted. A node flagged `fail` may be missing: messages do not reach its subscribers.
 */
function tooFewSubscribers(
  { masters, replicas, counts: { numsub, shardNumsub } }: HealthInput,
  { minSubscribers }: HealthLimits,
): { readonly certain: boolean; readonly reasons: readonly string[] } {
  const certain = [...masters, ...replicas].every(({ reply, failed = false }) =>
    reply === undefined ? failed : !reply.refusals.some(isOfCounts),
  );
  const incomplete = certain ? '' : ' (incomplete: not every node was counted)';
  const channels = new Set([...Object.keys(numsub), ...Object.keys(shardNumsub)]);
  const reasons = [...channels].flatMap((channel) => {
    // `Object.hasOwn`: a channel may be called `constructor`.
    const [classic = 0, sharded = 0] = [numsub, shardNumsub].map((counts) =>
      Object.hasOwn(counts, channel) ? counts[channel] : 0,
    );
    const count = Math.max(classic, sharded);
    const hint = /[*?[]/.test(channel) ? ' Pattern subscribers cannot be counted.' : '';
    return count < minSubscribers
      ? [
          `Channel "${channel}" has ${String(count)} of ${String(minSubscribers)} required subscribers${incomplete}.${hint}`,
        ]
      : [];
  });
  return { certain, reasons };
}

function isOfCounts({ command }: Refusal): boolean {
  return command === 'PUBSUB NUMSUB' || command === 'PUBSUB SHARDNUMSUB';
}

function recentGap({ lastGap }: HealthInput, { maxGapAge }: HealthLimits): string[] {
  if (maxGapAge === 0 || lastGap === null || lastGap.age >= maxGapAge) {
    return [];
  }
  const { names, reason, node, age } = lastGap;
  const where = node === null ? '' : ` on ${node}`;
  const channels = firstFew(names, MAX_NAMES_PER_REASON, (name) => `"${name}"`);
  return [`A gap ended ${String(age)} ms ago (${reason}${where}): messages on ${channels} may be missing.`];
}

function unreachableReplicas({ replicas }: HealthInput): string[] {
  return replicas
    .filter(({ reply }) => reply === undefined)
    .map(({ node, role, unreachable }) => {
      const label = role === 'replica' ? 'Replica' : 'Slotless master';
      return `${label} ${node} is unreachable: ${String(unreachable)}. Its subscribers are not counted.`;
    });
}

/** One reason per node, with the rules that its ACL lacks. */
function refusedCommands({ masters, replicas }: HealthInput): string[] {
  return [...masters, ...replicas].flatMap(({ node, reply }) => {
    const refusals = reply?.refusals ?? [];
    const [first] = refusals;
    if (first === undefined) {
      return [];
    }
    const rules = refusals
      .filter(({ error }) => error.kind === 'NOPERM')
      .map(({ command }) => `+${command.toLowerCase().replace(' ', '|')}`);
    const advice = rules.length === 0 ? '' : ` Add to its ACL: ${rules.join(' ')}.`;
    return [`${node} refused ${first.command}: ${errorReason(first.error)}.${advice}`];
  });
}

function refusedProbes({ probes }: HealthInput): string[] {
  return [...probes].flatMap(([node, probe]) =>
    probe.outcome === 'refused' ? [`${node} refused the probe: ${probe.reason}.`] : [],
  );
}
