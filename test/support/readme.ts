import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The README, as it is on disk. */
export const readme = readFileSync(join(process.cwd(), 'README.md'), 'utf8');

/** The guides that show how something is written, and the README first, by their names. */
export const guides: ReadonlyMap<string, string> = new Map(
  ['README.md', 'docs/health.md', 'docs/observability.md', 'docs/parity.md'].map((name) => [
    name,
    readFileSync(join(process.cwd(), name), 'utf8'),
  ]),
);

/** The code of the first block after the comment `<!-- mark -->`. */
export function blockAfter(mark: string): string {
  const [, rest] = readme.split(`<!-- ${mark} -->`);
  const code = /```\w*\n(.*?)```/s.exec(rest ?? '')?.[1];
  if (code === undefined) throw new Error(`README.md has no block of code after <!-- ${mark} -->.`);
  return code;
}
