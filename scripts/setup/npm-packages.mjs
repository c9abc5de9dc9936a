import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { SetupError } from './setup-error.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));

export function installPackages() {
  if (isInstalled()) return;
  console.log('set-up: npm ci');
  const { status, error } = spawnSync(
    'npm',
    ['ci', '--include=dev', '--no-audit', '--no-fund', '--loglevel=error'],
    {
      cwd: root,
      stdio: 'inherit',
      // npm is a shell script on Windows.
      shell: process.platform === 'win32',
    },
  );
  if (status !== 0) {
    throw new SetupError(`\`npm ci\` in ${root} failed${error ? `: ${error.message}` : ''}; see above.`);
  }
}

/** Whether node_modules matches package-lock.json: npm keeps a lock file of the packages it installed. */
function isInstalled() {
  const installed = readLock(join('node_modules', '.package-lock.json'));
  const wanted = readLock('package-lock.json');
  if (installed === undefined || wanted === undefined) return false;
  for (const [path, { version, optional, link }] of Object.entries(wanted)) {
    // The entry without a path is this package itself; optional packages may be for another platform.
    if (path === '' || link || (optional && installed[path] === undefined)) continue;
    if (installed[path]?.version !== version || !existsSync(join(root, path))) return false;
  }
  return true;
}

function readLock(path) {
  try {
    return JSON.parse(readFileSync(join(root, path), 'utf8')).packages;
  } catch {
    return undefined;
  }
}
