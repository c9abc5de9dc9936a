import type { NodeKey } from '../node-address.js';
import type { PubSubHealth, PubSubHealthStatus, UnconfirmedSubscription } from './health.js';
import type { HealthLimits } from './health-options.js';
import type { NodeReport } from './node-interview.js';
import type { ProbeResult } from './probe-paths.js';

/** How many names a reason lists. */
const NAMES_A_REASON = 5;

/** What there is to judge. */
export interface Evidence {
  readonly masters: readonly NodeReport[];
  readonly replicas: readonly NodeReport[];
  /** By master; empty where none was asked for. */
  readonly probes: ReadonlyMap<NodeKey, ProbeResult>;
  /** All that have not been confirmed for too long. */
  readonly unconfirmed: readonly UnconfirmedSubscription[];
  readonly found: Pick<PubSubHealth, 'lastGap' | 'numsub' | 'shardNumsub'>;
}

export interface Verdict {
  readonly status: PubSubHealthStatus;
  readonly reasons: readonly string[];
}

/** The one place that says what is `down`, and what is `degraded` only. */
export function judge(evidence: Evidence, limits: HealthLimits): Verdict {
  const down = [
    ...unreachable(evidence),
    ...clusterDown(evidence),
    ...lostProbes(evidence),
    ...unconfirmed(evidence, limits),
    ...tooFewSubscribers(evidence, limits),
    ...youngGap(evidence, limits),
  ];
  const degraded = [...silentReplicas(evidence), ...refusals(evidence), ...refusedProbes(evidence)];
  const status = down.length > 0 ? 'down' : degraded.length > 0 ? 'degraded' : 'up';
  return { status, reasons: [...down, ...degraded] };
}

function unreachable({ masters }: Evidence): string[] {
  return masters
    .filter(({ answer }) => answer === undefined)
    .map(({ node, silence }) => `Master ${node} is unreachable: ${String(silence)}.`);
}

/** A master that has lost the majority, or misses slots, refuses what it is asked to publish. */
function clusterDown({ masters }: Evidence): string[] {
  return masters
    .filter(({ answer }) => answer?.works === false)
    .map(({ node }) => `Master ${node} says that the cluster is down (cluster_state:fail).`);
}

function lostProbes({ masters, probes }: Evidence): string[] {
  return masters.flatMap(({ node, answer }) => {
    const probe = probes.get(node);
    // Of one that does not answer at all enough has been said.
    return answer !== undefined && probe?.is === 'lost'
      ? [`A message published at master ${node} did not get through: ${probe.why}.`]
      : [];
  });
}

function unconfirmed({ unconfirmed: late }: Evidence, { unconfirmedFor }: HealthLimits): string[] {
  if (late.length === 0) {
    return [];
  }
  const names = summary(late.map(({ name, node }) => `"${name}" at ${node ?? 'no node'}`));
  return [`Redis has not confirmed for more than ${String(unconfirmedFor)} ms: ${names}.`];
}

function tooFewSubscribers(evidence: Evidence, { minSubscribers }: HealthLimits): string[] {
  if (minSubscribers === 0 || refusals(evidence).length > 0) {
    return []; // where nobody may count, nobody can tell
  }
  const { numsub, shardNumsub } = evidence.found;
  return Object.entries(numsub).flatMap(([channel, classic]) => {
    const count = Math.max(classic, shardNumsub[channel] ?? 0);
    return count < minSubscribers
      ? [
          `Channel "${channel}" has ${String(count)} of the ${String(minSubscribers)} subscribers that are asked for.`,
        ]
      : [];
  });
}

function youngGap({ found: { lastGap } }: Evidence, { maxGapAge }: HealthLimits): string[] {
  if (lastGap === null || lastGap.age >= maxGapAge) {
    return [];
  }
  const { names, reason, node, age } = lastGap;
  const where = node === null ? '' : ` at ${node}`;
  const what = summary(names.map((name) => `"${name}"`));
  return [`A gap ended ${String(age)} ms ago (${reason}${where}): messages on ${what} may be missing.`];
}

function silentReplicas({ replicas }: Evidence): string[] {
  return replicas
    .filter(({ answer }) => answer === undefined)
    .map(
      ({ node, silence }) =>
        `Replica ${node} is unreachable: ${String(silence)}. Its subscribers are not counted.`,
    );
}

/** One a node: it is the same permission that is missing for all of them. */
function refusals({ masters, replicas }: Evidence): string[] {
  return [...masters, ...replicas].flatMap(({ node, answer }) =>
    answer?.refusal === undefined
      ? []
      : [`${node} refused ${answer.refusal}. Counts need +pubsub in the ACL.`],
  );
}

function refusedProbes({ probes }: Evidence): string[] {
  return [...probes].flatMap(([node, probe]) =>
    probe.is === 'refused' ? [`${node} refused the probe: ${probe.why}.`] : [],
  );
}

function summary(names: readonly string[]): string {
  const shown = names.slice(0, NAMES_A_REASON);
  const more = names.length - shown.length;
  return more > 0 ? `${shown.join(', ')} and ${String(more)} more` : shown.join(', ');
}
