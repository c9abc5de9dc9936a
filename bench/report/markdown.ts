import type { Spread } from './statistics.js';

/** A table whose first column is text, and the others numbers. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  const rule = head.map((_, column) => (column === 0 ? '---' : '---:'));
  return [line(head), line(rule), ...rows.map(line)].join('\n');
}

/** The median, with the lowest and the highest value. */
export function spreadWords(spread: Spread | undefined, unit: string): string {
  if (spread === undefined) return '–';
  const { median, min, max, count } = spread;
  const middle = `${median.toFixed(2)}${unit}`;
  return count === 1 ? middle : `${middle} (${min.toFixed(2)}–${max.toFixed(2)})`;
}
