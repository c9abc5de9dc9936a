// Builds dist/, and the sample app on top of it, where missing or older than the sources. Built-in modules only.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { argv } from 'node:process';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const tsc = 'node_modules/typescript/bin/tsc';

// The last file that each build writes.
const packageBuilt = 'dist/cjs/package.json';
const sampleBuilt = 'sample-app/dist/.built';

export function ensureBuilt() {
  ensurePackageBuilt();
  if (isOlder(sampleBuilt, ['sample-app', 'tsconfig.json', packageBuilt])) {
    console.log('build: the sample app');
    run(tsc, '-p', 'sample-app/tsconfig.build.json');
    writeFileSync(`${root}/${sampleBuilt}`, '');
  }
}

export function ensurePackageBuilt() {
  const configs = ['tsconfig.json', 'tsconfig.build.json', 'tsconfig.build.cjs.json', 'package.json'];
  if (isOlder(packageBuilt, ['src', ...configs])) {
    console.log('build: the package');
    run('scripts/build.mjs');
  }
}

function isOlder(target, sources) {
  if (!existsSync(`${root}/${target}`)) return true;
  const built = statSync(`${root}/${target}`).mtimeMs;
  return sources.some((source) => newest(`${root}/${source}`) > built);
}

/** Modification time of the newest file at or under a path, build output excluded. */
function newest(path) {
  const stats = statSync(path);
  if (!stats.isDirectory()) return stats.mtimeMs;
  const times = readdirSync(path)
    .filter((name) => name !== 'dist')
    .map((name) => newest(`${path}/${name}`));
  return Math.max(stats.mtimeMs, ...times);
}

function run(script, ...args) {
  const { status, error } = spawnSync(process.execPath, [script, ...args], { cwd: root, stdio: 'inherit' });
  if (status !== 0) throw new Error(`${script} failed${error ? `: ${error.message}` : ''}; see above.`);
}

if (argv[1] !== undefined && import.meta.url === pathToFileURL(argv[1]).href) {
  if (argv[2] === 'package') ensurePackageBuilt();
  else ensureBuilt();
}
