import { type Outcome, passed } from './play.js';
import type { Recovery } from './recovery.js';

const head = [
  'scenario',
  'recovery ms',
  'longest pause ms',
  'lost',
  'explained (in gap / refused)',
  'duplicated',
  'out of order',
  'gaps',
  'requests failed',
  'verdict',
];

/** The outcomes side by side, as Markdown. */
export function tableOf(outcomes: readonly Outcome[]): string {
  const rows = outcomes.map((outcome) => {
    const { scenario, verdict, recoveries } = outcome;
    const { requests } = verdict;
    const failed = Object.entries(requests.failed).map(([code, times]) => `${times} ${code}`);
    const asked = requests.answered + Object.values(requests.failed).reduce((sum, times) => sum + times, 0);
    return [
      scenario,
      recoveryOf(recoveries),
      String(Math.max(0, ...recoveries.map(({ longestPause }) => longestPause))),
      String(verdict.lost),
      `${verdict.inGap} / ${verdict.refused}`,
      String(verdict.duplicated),
      String(verdict.outOfOrder),
      String(verdict.gaps),
      `${failed.length === 0 ? '0' : failed.join(', ')} of ${asked}`,
      passed(outcome) ? 'ok' : 'FAILED',
    ];
  });
  const widths = head.map((title, column) => {
    return Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0));
  });
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`;
  return [line(head), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)].join('\n');
}

/** Formats the recovery of the worst fault, with the part after the promotion, if there was one. */
function recoveryOf(recoveries: readonly Recovery[]): string {
  const [worst] = [...recoveries].sort((a, b) => b.afterFault - a.afterFault);
  if (worst === undefined) return '-';
  if (worst.afterFault === Infinity) return 'not back';
  const { afterFault, afterPromotion } = worst;
  return afterPromotion === undefined
    ? String(afterFault)
    : `${afterFault} (${afterPromotion} after promotion)`;
}
