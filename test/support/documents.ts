import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The guides that show code, the README first, by their paths. */
export const guides: ReadonlyMap<string, string> = new Map(
  [
    'README.md',
    'docs/acl.md',
    'docs/engine.md',
    'docs/errors.md',
    'docs/health.md',
    'docs/observability.md',
    'docs/parity.md',
    'docs/transport.md',
  ].map((path) => [path, readDocument(path)]),
);

/** The text of a file of the repository. */
export function readDocument(path: string): string {
  return readFileSync(join(process.cwd(), path), 'utf8');
}

/** The code of the first block after the comment `<!-- mark -->` of a document. */
export function blockAfter(path: string, mark: string): string {
  const [, rest] = readDocument(path).split(`<!-- ${mark} -->`);
  const code = /```\w*\n(.*?)```/s.exec(rest ?? '')?.[1];
  if (code === undefined) throw new Error(`${path} has no code block after <!-- ${mark} -->.`);
  return code;
}
