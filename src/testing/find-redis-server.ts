import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { LocalClusterError } from './errors.js';

const names = ['redis-server', 'valkey-server'];

// Debian installs servers in sbin folders, which are not on every PATH; the folder of Homebrew may be missing too.
const usualFolders = ['/usr/bin', '/usr/sbin', '/usr/local/bin', '/usr/local/sbin', '/opt/homebrew/bin'];

const howToInstall = [
  'Install one of them:',
  '  Debian, Ubuntu   sudo apt-get update && sudo apt-get install -y redis-server',
  '  Fedora, RHEL     sudo dnf install -y redis   (or: valkey)',
  '  Alpine           sudo apk add redis   (or: valkey)',
  '  macOS            brew install redis   (or: valkey)',
  'or set REDIS_SERVER to the path of the program.',
].join('\n');

/**
 * The path of the server program: `REDIS_SERVER` if set, otherwise the first `redis-server` or `valkey-server` on the
 * PATH and in the usual folders.
 *
 * @throws LocalClusterError `REDIS_SERVER_NOT_FOUND`
 */
export function findRedisServer(env: NodeJS.ProcessEnv = process.env, folders = usualFolders): string {
  if (env.REDIS_SERVER) {
    if (isExecutable(env.REDIS_SERVER)) return env.REDIS_SERVER;
    throw new LocalClusterError(
      'REDIS_SERVER_NOT_FOUND',
      `REDIS_SERVER is set to ${env.REDIS_SERVER}, which is not an executable file. ${howToInstall}`,
    );
  }
  const path = (env.PATH ?? '').split(delimiter).filter((folder) => folder !== '');
  const candidates = names.flatMap((name) => [...path, ...folders].map((folder) => join(folder, name)));
  const found = candidates.find(isExecutable);
  if (found === undefined) {
    throw new LocalClusterError(
      'REDIS_SERVER_NOT_FOUND',
      `No redis-server or valkey-server found. ${howToInstall}`,
    );
  }
  return found;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
