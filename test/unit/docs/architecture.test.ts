import { describe, expect, it } from '@jest/globals';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { readDocument } from '../../support/documents.js';

const src = join(process.cwd(), 'src');
const text = readDocument('docs/architecture.md');

describe('docs/architecture.md', () => {
  it('shows the arrows that npm run lint:arrows checks', async () => {
    const { arrows } = (await import(join(process.cwd(), '.dependency-cruiser.mjs'))) as {
      arrows: Readonly<Record<string, readonly string[]>>;
    };
    const rows = rowsOf('Arrows').map(([folder, allowed]) => [folder, namesIn(allowed!)]);
    expect(rows).toEqual(Object.entries(arrows).map(([folder, allowed]) => [`\`${folder}\``, allowed]));
  });

  it('says of every folder of src what it hides', () => {
    const described = rowsOf('What each folder hides').map(([folder]) => namesIn(folder!)[0]);
    const folders = readdirSync(src, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .flatMap(({ name }) => (['pubsub', 'transport'].includes(name) ? subFoldersOf(name) : [name]));
    expect(described.sort()).toEqual(['pubsub', ...folders].sort());
  });

  it('names only files that exist', () => {
    const files = [...text.matchAll(/`([\w./-]+\.ts)`/g)].map(([, file]) => file!);
    expect(files.length).toBeGreaterThan(10);
    expect(files.filter((file) => !existsSync(join(src, file)))).toEqual([]);
  });
});

function subFoldersOf(folder: string): string[] {
  return readdirSync(join(src, folder), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => `${folder}/${name}`);
}

/** The rows of the first table of a section, without its head. */
function rowsOf(title: string): string[][] {
  const section = text.split(`\n## ${title}\n`)[1] ?? '';
  const table = section.match(/(?:^\|.*\n)+/m)?.[0] ?? '';
  return table
    .trim()
    .split('\n')
    .slice(2)
    .map((row) =>
      row
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
}

function namesIn(cell: string): string[] {
  return [...cell.matchAll(/`([^`]+)`/g)].map(([, name]) => name!);
}
