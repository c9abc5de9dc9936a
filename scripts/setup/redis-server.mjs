import { spawnSync } from 'node:child_process';
import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { SetupError } from './setup-error.mjs';

const names = ['redis-server', 'valkey-server'];

// Debian installs servers in sbin folders that are not on every user's PATH; Homebrew's folder may be missing too.
const usualFolders = ['/usr/bin', '/usr/sbin', '/usr/local/bin', '/usr/local/sbin', '/opt/homebrew/bin'];

/** Finds a Redis or Valkey server, or installs Debian's where that is allowed. Returns its path and version. */
export function installRedis() {
  let server = findServer();
  if (server === undefined) {
    installWithApt();
    server = findServer();
  }
  if (server === undefined) throw new SetupError(howToInstall());
  return describe(server);
}

function findServer() {
  if (process.env.REDIS_SERVER) {
    if (isExecutable(process.env.REDIS_SERVER)) return process.env.REDIS_SERVER;
    throw new SetupError(
      `REDIS_SERVER is set to ${process.env.REDIS_SERVER}, which is not an executable file.`,
    );
  }
  const folders = [...(process.env.PATH ?? '').split(delimiter).filter(Boolean), ...usualFolders];
  const candidates = names.flatMap((name) => folders.map((folder) => join(folder, name)));
  return candidates.find(isExecutable);
}

function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

function describe(path) {
  const { stdout } = spawnSync(path, ['--version'], { encoding: 'utf8' });
  const version = /v=([\d.]+)/.exec(stdout ?? '')?.[1];
  if (version === undefined) throw new SetupError(`${path} does not run. ${howToInstall()}`);
  return `${path} ${version}`;
}

function installWithApt() {
  const asRoot = rootPrefix();
  if (asRoot === undefined || !runs('apt-get', ['--version'])) return;
  console.log('set-up: apt-get install redis-server');
  const [command, ...args] = [...asRoot, 'sh', '-c', aptScript];
  spawnSync(command, args, { stdio: 'inherit' });
}

// Installs the program without a Redis service: policy-rc.d keeps the package from starting it now, and
// systemctl, where systemd runs, from starting it at every boot.
const aptScript = `
set -e
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
  trap 'rm -f $policy' EXIT
  printf '#!/bin/sh\\nexit 101\\n' > $policy
  chmod 755 $policy
fi
# A source of packages that is down need not be the one with Redis.
apt-get update || true
DEBIAN_FRONTEND=noninteractive apt-get install -y redis-server
if [ -d /run/systemd/system ]; then systemctl disable --now redis-server || true; fi
`;

/** The prefix that runs a command as root without a password prompt, or undefined. */
function rootPrefix() {
  if (process.getuid?.() === 0) return [];
  return runs('sudo', ['-n', 'true']) ? ['sudo', '-n'] : undefined;
}

function runs(command, args) {
  return spawnSync(command, args, { stdio: 'ignore' }).status === 0;
}

function howToInstall() {
  return [
    'No redis-server or valkey-server found. Install one and run the command again:',
    '  Debian, Ubuntu   sudo apt-get update && sudo apt-get install -y redis-server',
    '  Fedora, RHEL     sudo dnf install -y redis   (or: valkey)',
    '  Alpine           sudo apk add redis   (or: valkey)',
    '  macOS            brew install redis   (or: valkey)',
    'For a server in another place, set REDIS_SERVER=/path/to/redis-server',
  ].join('\n');
}
