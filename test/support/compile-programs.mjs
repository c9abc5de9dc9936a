import { transformFile } from '@swc/core';
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
/** Inside node_modules, so that what is compiled finds the packages. */
const folder = join(root, 'node_modules/.cache/test-programs');

/**
 * Compiles src and test, without the tests themselves, to a folder that mirrors them, and returns the folder: a program
 * that a test starts would otherwise be compiled each time. What has not changed since the last run stays.
 */
export async function compilePrograms() {
  const sources = ['src', 'test']
    .flatMap((top) => readdirSync(join(root, top), { recursive: true }).map((name) => join(top, name)))
    .filter((path) => path.endsWith('.ts') && !path.endsWith('.test.ts') && !path.startsWith('test/package'));
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'package.json'), manifest());
  await Promise.all(sources.map(compile));
  return folder;
}

async function compile(path) {
  const target = join(folder, path.replace(/\.ts$/, '.js'));
  const changed = statSync(join(root, path)).mtimeMs;
  if (statSync(target, { throwIfNoEntry: false })?.mtimeMs > changed) return;
  const { code } = await transformFile(join(root, path), { configFile: join(root, '.swcrc') });
  mkdirSync(dirname(target), { recursive: true });
  writeFileSync(target, code);
}

/** The name and the entry points of the package, for programs in this folder that import it by its name. */
function manifest() {
  const { name, exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const entries = Object.keys(exports)
    .filter((entry) => !entry.endsWith('.json'))
    .map((entry) => [entry, `./${join('src', entry, 'index.js')}`]);
  return JSON.stringify({ name, type: 'module', exports: Object.fromEntries(entries) });
}
