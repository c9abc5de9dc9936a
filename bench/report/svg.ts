/** Charts in plain SVG, readable on a light and on a dark page. */

export interface Bar {
  readonly label: string;
  readonly value: number;
  readonly min: number;
  readonly max: number;
  readonly color: string;
}

export interface Line {
  readonly label: string;
  readonly color: string;
  readonly points: readonly { readonly x: number; readonly y: number }[];
}

const width = 640;

/** Horizontal bars from zero, each with its range as a thin line. */
export function barChart(title: string, unit: string, bars: readonly Bar[]): string {
  const left = 150;
  const room = width - left - 90;
  const top = 44;
  const step = 30;
  const highest = Math.max(...bars.map(({ max }) => max));
  const length = (value: number): number => round((value / highest) * room);
  const rows = bars.map(({ label, value, min, max, color }, index) => {
    const y = top + index * step;
    const middle = y + 10;
    return [
      text(left - 8, middle + 4, label, 'end'),
      `<rect x="${left}" y="${y}" width="${length(value)}" height="20" fill="${color}"/>`,
      `<path d="M${left + length(min)} ${middle}H${left + length(max)}" stroke="currentColor" stroke-width="1.5"/>`,
      text(left + length(max) + 8, middle + 4, short(value)),
    ].join('\n');
  });
  return svg(top + bars.length * step + 8, [heading(title, unit), ...rows]);
}

/** A line chart from zero in y, and logarithmic in x, because the values of x double. */
export function lineChart(title: string, unit: string, xLabel: string, lines: readonly Line[]): string {
  const [left, top, right, bottom] = [64, 44, 150, 44];
  const height = 300;
  const xs = [...new Set(lines.flatMap(({ points }) => points.map(({ x }) => x)))].sort((a, b) => a - b);
  const highest = Math.max(...lines.flatMap(({ points }) => points.map(({ y }) => y)));
  const [first = 1, last = 1] = [xs[0], xs.at(-1)];
  const span = Math.log(last / first) || 1;
  const atX = (x: number): number => round(left + (Math.log(x / first) / span) * (width - left - right));
  const atY = (y: number): number => round(height - bottom - (y / highest) * (height - top - bottom));
  const grid = [0, 0.25, 0.5, 0.75, 1].map((share) => {
    const y = atY(highest * share);
    return [
      `<path d="M${left} ${y}H${width - right}" stroke="currentColor" opacity="0.15"/>`,
      text(left - 6, y + 4, short(highest * share), 'end'),
    ].join('\n');
  });
  const drawn = lines.map(({ label, points, color }, index) => {
    const path = points.map(({ x, y }, place) => `${place === 0 ? 'M' : 'L'}${atX(x)} ${atY(y)}`).join('');
    const dots = points.map(({ x, y }) => `<circle cx="${atX(x)}" cy="${atY(y)}" r="3" fill="${color}"/>`);
    const key = text(width - right + 14, top + 12 + index * 20, label, 'start', color);
    return [`<path d="${path}" fill="none" stroke="${color}" stroke-width="2"/>`, ...dots, key].join('\n');
  });
  const ticks = xs.map((x) => text(atX(x), height - bottom + 18, x.toLocaleString('en-US'), 'middle'));
  const axis = text((left + width - right) / 2, height - 6, xLabel, 'middle');
  return svg(height, [heading(title, unit), ...grid, ...ticks, axis, ...drawn]);
}

function svg(height: number, parts: readonly string[]): string {
  const style = 'svg{color:#343a40}@media(prefers-color-scheme:dark){svg{color:#ced4da}}';
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" font-family="system-ui, sans-serif" font-size="12">`,
    `<style>${style}</style>`,
    ...parts,
    '</svg>',
    '',
  ].join('\n');
}

function heading(title: string, unit: string): string {
  return `<text x="8" y="22" font-size="14" font-weight="600" fill="currentColor">${escape(title)} <tspan font-weight="400" font-size="12">${escape(unit)}</tspan></text>`;
}

function text(x: number, y: number, words: string, anchor = 'start', color = 'currentColor'): string {
  return `<text x="${x}" y="${y}" text-anchor="${anchor}" fill="${color}">${escape(words)}</text>`;
}

/** 12,345 as 12.3k; three digits of anything. */
function short(value: number): string {
  if (value >= 1_000) return `${short(value / 1_000)}k`;
  return value.toFixed(value >= 100 || Number.isInteger(value) ? 0 : 1);
}

function round(value: number): number {
  return Number(value.toFixed(1));
}

function escape(words: string): string {
  return words.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
}
