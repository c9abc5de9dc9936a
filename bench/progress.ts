import type { Sample } from './sample.js';

/** Progress lines on stderr. */
export function tellProgress({ round, arm, load, x, rate, lost, firstError }: Sample): void {
  const where = x === undefined ? load : `${load} ${x}`;
  const failed = lost > 0 ? `  ${lost} LOST${firstError === undefined ? '' : `: ${firstError}`}` : '';
  process.stderr.write(
    `  round ${round + 1}  ${arm.padEnd(13)} ${where.padEnd(20)} ${Math.round(rate).toLocaleString('en-US').padStart(9)}/s${failed}\n`,
  );
}
