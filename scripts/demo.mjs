// npm run demo [-- --once]: sets up, builds if necessary, and runs sample-app/demo on a real cluster.
import { argv, exit } from 'node:process';
import { ensureBuilt } from './ensure-built.mjs';
import { setup } from './setup.mjs';

const unknown = argv.slice(2).filter((argument) => argument !== '--once');
if (unknown.length > 0) {
  console.error(`Unknown argument: ${unknown.join(' ')}\nUsage: npm run demo [-- --once]`);
  exit(2);
}

try {
  setup();
  ensureBuilt();
} catch (error) {
  console.error(error.message);
  exit(1);
}

const { runDemo } = await import('../sample-app/dist/demo/main.js');
exit(await runDemo({ once: argv.includes('--once') }));
