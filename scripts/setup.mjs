// Sets up everything that the other commands need: a recent Node, the npm packages, a Redis server. Built-in modules
// only, because it runs before any package is installed. Running it again takes well under a second.
import { argv, exit } from 'node:process';
import { pathToFileURL } from 'node:url';
import { checkNode } from './setup/node-version.mjs';
import { installPackages } from './setup/npm-packages.mjs';
import { installRedis } from './setup/redis-server.mjs';
import { SetupError } from './setup/setup-error.mjs';

export function setup() {
  checkNode();
  installPackages();
  const server = installRedis();
  console.log(`set-up: Node ${process.versions.node}, npm packages, ${server}`);
}

if (argv[1] !== undefined && import.meta.url === pathToFileURL(argv[1]).href) {
  try {
    setup();
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    console.error(error.message);
    exit(1);
  }
}
