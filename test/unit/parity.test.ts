import { describe, expect, it } from '@jest/globals';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const page = readFileSync(join(process.cwd(), 'docs/parity.md'), 'utf8');

/** The rows of all tables, without their heads. */
const rows = page
  .split('\n')
  .filter((line) => line.startsWith('|') && !/^\|[\s:|-]+$/.test(line) && !/^\| theirs +\|/.test(line))
  .map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );

describe('docs/parity.md', () => {
  it('has three cells in every row, none of them empty', () => {
    expect(rows.length).toBeGreaterThan(100);
    expect(rows.filter((cells) => cells.length !== 3 || cells.includes(''))).toEqual([]);
  });

  it('names in every row at least one test, and only tests that exist', () => {
    const wrong = rows.flatMap(([theirs, , tests = '']) => {
      const named = [...tests.matchAll(/\[[^\]]+\]\(\.\.\/(test\/[^)]+)\): “([^”]+)”/g)];
      const missing = named.filter(([, file, title]) => !hasTest(file as string, title as string));
      return named.length === 0 ? [[theirs, 'no test']] : missing.map(([all]) => [theirs, all]);
    });
    expect(wrong).toEqual([]);
  });
});

function hasTest(file: string, title: string): boolean {
  const path = join(process.cwd(), file);
  const quoted = ["'", '"', '`'].map((mark) => `${mark}${title}${mark}`);
  return existsSync(path) && quoted.some((text) => readFileSync(path, 'utf8').includes(text));
}
