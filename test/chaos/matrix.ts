import type { Misconduct } from './evidence.js';
import type { Verdict } from './judge.js';
import type { PeerName } from './peers/index.js';
import type { Entry } from './timeline.js';

/** One outcome as written by `--json`: null means Infinity, which JSON lacks: it never recovered. */
export interface RecordedOutcome {
  readonly scenario: string;
  readonly verdict: Verdict;
  readonly recoveries: readonly {
    readonly afterFault: number | null;
    readonly longestPause: number | null;
  }[];
  readonly misconduct: readonly Misconduct[];
  readonly failure?: string;
  readonly timeline: readonly Entry[];
}

export type Matrix = ReadonlyMap<PeerName, readonly RecordedOutcome[]>;

/** A Markdown table with one row per scenario and five columns per peer. */
export function matrixOf(
  matrix: Matrix,
  scenarios: readonly { readonly name: string; readonly words: string }[],
  titleOf: (peer: PeerName) => string,
): string {
  const peers = [...matrix.keys()];
  const head = [
    'fault',
    ...peers.flatMap((peer) => [
      `${titleOf(peer)}: recovery / pause`,
      'lost',
      'duplicated',
      'disorder',
      'signal',
    ]),
  ];
  const rows = scenarios.map(({ name, words }) => [
    words,
    ...peers.flatMap((peer) => cellsOf(matrix.get(peer)?.find(({ scenario }) => scenario === name))),
  ]);
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  const rule = head.map((_, column) => (column % 5 === 0 ? '---' : '---:'));
  return [line(head), line(rule), ...rows.map(line)].join('\n');
}

function cellsOf(outcome: RecordedOutcome | undefined): string[] {
  if (outcome === undefined) return ['does not apply', '', '', '', ''];
  if (outcome.failure !== undefined) return ['not played', '', '', '', ''];
  const { verdict } = outcome;
  return [
    recoveryOf(outcome),
    grouped(undelivered(verdict)),
    grouped(verdict.duplicated),
    grouped(verdict.outOfOrder),
    signalOf(outcome),
  ];
}

/** Recovery after the worst fault, and the longest time without messages of any subscription. */
function recoveryOf({ recoveries }: RecordedOutcome): string {
  const recovery = worstOf(recoveries.map(({ afterFault }) => afterFault));
  const pause = worstOf(recoveries.map(({ longestPause }) => longestPause));
  return recovery === Infinity ? 'not back' : `${grouped(recovery)} / ${grouped(pause)} ms`;
}

function worstOf(times: readonly (number | null)[]): number {
  return Math.max(0, ...times.map((time) => time ?? Infinity));
}

/** Messages that Redis accepted and a subscriber never received, whether reported or not. */
function undelivered({ lost, inGap }: Verdict): number {
  return lost + inGap;
}

/** The signals that the application got of its losses, and the publishes that were refused. */
function signalOf(outcome: RecordedOutcome): string {
  const { verdict, misconduct } = outcome;
  const unhandled = misconduct.filter(({ what }) => what.startsWith('unhandled rejection')).length;
  const parts = [
    ...(verdict.inGap > 0 ? [verdict.lost > 0 ? `${grouped(verdict.inGap)} reported` : 'reported'] : []),
    ...(verdict.lost > 0 ? [hasSigns(outcome) ? 'signs' : 'silent'] : []),
    ...(verdict.refused > 0 ? [`${grouped(verdict.refused)} refused`] : []),
    ...(verdict.pending > 0 ? [`${grouped(verdict.pending)} unsettled`] : []),
    ...(unhandled > 0 ? [`${grouped(unhandled)} unhandled`] : []),
  ];
  return parts.length === 0 ? '–' : parts.join(', ');
}

/** Returns true if the application received any event between the first fault and the end of the traffic. */
function hasSigns({ timeline }: RecordedOutcome): boolean {
  const fault = timeline.find(({ kind }) => kind === 'fault');
  const end = timeline.findLast(({ kind }) => kind === 'note');
  if (fault === undefined || end === undefined) return false;
  return timeline.some(({ kind, at }) => kind === 'event' && at >= fault.at && at <= end.at);
}

function grouped(count: number): string {
  return count.toLocaleString('en-US');
}
