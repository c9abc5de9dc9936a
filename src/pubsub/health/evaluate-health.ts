import type { NodeKey } from '../common/node-address.js';
import type { PubSubHealth, PubSubHealthStatus, UnconfirmedSubscription } from './health-types.js';
import type { HealthLimits } from './health-options.js';
import type { NodeReport, Refusal } from './node-check.js';
import type { ProbeResult } from './probe-runner.js';
import { errorReason } from '../../util/error-message.js';
import { firstFew } from '../../util/arrays.js';

/** How many names a reason lists. */
const NAMES_A_REASON = 5;

const KIND_WORDS = { channel: 'channel', pattern: 'pattern', shard: 'shard channel' } as const;

/** What there is to judge. */
export interface HealthInput {
  readonly masters: readonly NodeReport[];
  /** And whatever else serves no slot. */
  readonly replicas: readonly NodeReport[];
  /** By master; empty where none was asked for. */
  readonly probes: ReadonlyMap<NodeKey, ProbeResult>;
  /** All that have not been confirmed for too long. */
  readonly unconfirmed: readonly UnconfirmedSubscription[];
  readonly found: Pick<PubSubHealth, 'lastGap' | 'numsub' | 'shardNumsub'>;
}

export interface HealthResult {
  readonly status: PubSubHealthStatus;
  readonly reasons: readonly string[];
}

/** The one place that says what is `down`, and what is `degraded` only. */
export function evaluateHealth(evidence: HealthInput, limits: HealthLimits): HealthResult {
  const tooFew = tooFewSubscribers(evidence, limits);
  const down = [
    ...unreachable(evidence),
    ...clusterDown(evidence),
    ...lostProbes(evidence),
    ...unconfirmed(evidence, limits),
    ...(tooFew.certain ? tooFew.reasons : []),
    ...youngGap(evidence, limits),
  ];
  const degraded = [
    ...silentReplicas(evidence),
    ...refusals(evidence),
    ...refusedProbes(evidence),
    ...(tooFew.certain ? [] : tooFew.reasons),
  ];
  const status = down.length > 0 ? 'down' : degraded.length > 0 ? 'degraded' : 'up';
  return { status, reasons: [...down, ...degraded] };
}

function unreachable({ masters }: HealthInput): string[] {
  return masters
    .filter(({ answer }) => answer === undefined)
    .map(({ node, silence }) => `Master ${node} is unreachable: ${String(silence)}.`);
}

/** Masters that have lost the majority, or miss slots. They refuse what concerns keys; whether also messages is their setting. */
function clusterDown({ masters }: HealthInput): string[] {
  const told = masters.filter(({ answer }) => answer?.works === false).map(({ node }) => node);
  return told.length === 0
    ? []
    : [
        `The cluster is down (cluster_state:fail): so ${told.length === 1 ? 'says' : 'say'} ${firstFew(told, NAMES_A_REASON, String)}.`,
      ];
}

function lostProbes({ masters, probes }: HealthInput): string[] {
  return masters.flatMap(({ node, answer }) => {
    const probe = probes.get(node);
    // Of one that does not answer at all enough has been said.
    return answer !== undefined && probe?.is === 'lost'
      ? [`A message published at master ${node} did not get through: ${probe.why}.`]
      : [];
  });
}

function unconfirmed({ unconfirmed: late }: HealthInput, { confirmationTimeout }: HealthLimits): string[] {
  if (late.length === 0) {
    return [];
  }
  const names = firstFew(
    late,
    NAMES_A_REASON,
    ({ kind, name, node }) => `${KIND_WORDS[kind]} "${name}" at ${node ?? 'no node'}`,
  );
  return [`Redis has not confirmed for more than ${String(confirmationTimeout)} ms: ${names}.`];
}

/**
 * Certain where all have counted: what a node keeps to itself may be what is missing. Not what sits at one that the cluster
 * has given up: no message gets there.
 */
function tooFewSubscribers(
  { masters, replicas, found: { numsub, shardNumsub } }: HealthInput,
  { minSubscribers }: HealthLimits,
): { readonly certain: boolean; readonly reasons: readonly string[] } {
  const nodes = [...masters, ...replicas];
  const certain = nodes.every(({ answer, givenUp = false }) =>
    answer === undefined ? givenUp : !answer.refusals.some(isOfCounts),
  );
  const reserve = certain ? '' : ', as far as can be told: not every node has counted';
  const channels = new Set([...Object.keys(numsub), ...Object.keys(shardNumsub)]);
  const reasons = [...channels].flatMap((channel) => {
    // Channels may be called as what every object has.
    const [classic, sharded] = [numsub, shardNumsub].map((counts) =>
      Object.hasOwn(counts, channel) ? (counts[channel] ?? 0) : 0,
    );
    const count = Math.max(classic ?? 0, sharded ?? 0);
    const pattern = /[*?[]/.test(channel) ? ' Subscribers by pattern cannot be counted.' : '';
    return count < minSubscribers
      ? [
          `Channel "${channel}" has ${String(count)} of the ${String(minSubscribers)} subscribers that are asked for${reserve}.${pattern}`,
        ]
      : [];
  });
  return { certain, reasons };
}

function isOfCounts({ command }: Refusal): boolean {
  return command === 'PUBSUB NUMSUB' || command === 'PUBSUB SHARDNUMSUB';
}

function youngGap({ found: { lastGap } }: HealthInput, { maxGapAge }: HealthLimits): string[] {
  if (maxGapAge === 0 || lastGap === null || lastGap.age >= maxGapAge) {
    return [];
  }
  const { names, reason, node, age } = lastGap;
  const where = node === null ? '' : ` at ${node}`;
  const what = firstFew(names, NAMES_A_REASON, (name) => `"${name}"`);
  return [`A gap ended ${String(age)} ms ago (${reason}${where}): messages on ${what} may be missing.`];
}

function silentReplicas({ replicas }: HealthInput): string[] {
  return replicas
    .filter(({ answer }) => answer === undefined)
    .map(({ node, role, silence }) => {
      const who = role === 'replica' ? `Replica ${node}` : `Master ${node}, which owns no slots,`;
      return `${who} is unreachable: ${String(silence)}. Its subscribers are not counted.`;
    });
}

/** One a node, with what would have to be allowed where it is that. */
function refusals({ masters, replicas }: HealthInput): string[] {
  return [...masters, ...replicas].flatMap(({ node, answer }) => {
    const [first] = answer?.refusals ?? [];
    if (first === undefined) {
      return [];
    }
    const missing = (answer?.refusals ?? [])
      .filter(({ error }) => error.kind === 'NOPERM')
      .map(({ command }) => `+${command.toLowerCase().replace(' ', '|')}`);
    const advice = missing.length === 0 ? '' : ` The ACL needs ${missing.join(' ')}.`;
    return [`${node} refused ${first.command}: ${errorReason(first.error)}.${advice}`];
  });
}

function refusedProbes({ probes }: HealthInput): string[] {
  return [...probes].flatMap(([node, probe]) =>
    probe.is === 'refused' ? [`${node} refused the probe: ${probe.why}.`] : [],
  );
}
