import { describe, expect, it } from '@jest/globals';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';

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

const titlesOf = new Map<string, ReadonlySet<string>>();

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

describe('a test', () => {
  it('is one that runs', () => {
    const source = `
      // it('in a comment', () => {});
      it('plain', () => {});
      it.each([1, 2])('of a table %i', () => {});
      const text = 'somewhere';
      it.skip('skipped', () => {});
      it.skip.each([1])('skipped table', () => {});
      it.todo('to do');
      it.only('alone', () => {});
      describe('group', () => { it(\`in a group\`, () => {}); });
      describe.skip('skipped group', () => { it('in a skipped group', () => {}); });
    `;
    expect(readTitles(source)).toEqual(new Set(['plain', 'of a table %i', 'in a group']));
  });
});

/** Of the tests that run, and not of what is merely written somewhere: an `it` or `it.each`, and nothing skipped. */
function hasTest(file: string, title: string): boolean {
  const path = join(process.cwd(), file);
  let titles = titlesOf.get(path);
  if (titles === undefined) {
    titles = existsSync(path) ? readTitles(readFileSync(path, 'utf8')) : new Set();
    titlesOf.set(path, titles);
  }
  return titles.has(title);
}

function readTitles(source: string): ReadonlySet<string> {
  const titles = new Set<string>();
  const visit = (node: ts.Node): void => {
    if (ts.isCallExpression(node)) {
      const [name, ...modifiers] = calleeOf(node.expression);
      if (modifiers.some((word) => ['skip', 'todo', 'only', 'failing'].includes(word))) return;
      const [title] = node.arguments;
      if ((name === 'it' || name === 'test') && title !== undefined && ts.isStringLiteralLike(title)) {
        titles.add(title.text);
      }
    }
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile('test.ts', source, ts.ScriptTarget.Latest));
  return titles;
}

/** Of `it.each([…])('…')`: it, each. */
function calleeOf(expression: ts.Expression): string[] {
  if (ts.isIdentifier(expression)) return [expression.text];
  if (ts.isPropertyAccessExpression(expression)) {
    return [...calleeOf(expression.expression), expression.name.text];
  }
  if (ts.isCallExpression(expression)) return calleeOf(expression.expression);
  if (ts.isTaggedTemplateExpression(expression)) return calleeOf(expression.tag);
  return [];
}
