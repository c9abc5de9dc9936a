// npm run test:chaos:matrix: plays the same faults with every peer, and writes what came of it into docs/resilience.md.
// With `--from <folder>` it only writes, from the files of an earlier run.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { format, resolveConfig } from 'prettier';
import { type Matrix, matrixOf, type RecordedOutcome } from './matrix.js';
import { home } from './peers/home.js';
import { type PeerName, peerNames } from './peers/index.js';

const document = fileURLToPath(new URL('../../docs/resilience.md', import.meta.url));
const run = fileURLToPath(new URL('run.ts', import.meta.url));
const start = '<!-- matrix:start -->';
const end = '<!-- matrix:end -->';

/** The same for everybody, so that chance favours nobody. */
const seed = '3';

const scenarios = [
  { name: 'kill-master', words: '`kill -9` of a master' },
  { name: 'pause-master', words: '`SIGSTOP` of a master for 10 s' },
  { name: 'planned-failover', words: 'planned failover, and back' },
  { name: 'slot-migration', words: 'live migration of 500 slots, and back' },
  { name: 'client-kill', words: '`CLIENT KILL TYPE pubsub`, 20 times' },
  { name: 'cluster-down', words: 'whole cluster down, and up' },
  { name: 'frozen-connection', words: 'connections to one node frozen for 6 s' },
] as const;

const titles: Record<PeerName, string> = {
  ours: 'this package',
  'ioredis-sharded': 'ioredis, sharded',
  'ioredis-classic': 'ioredis, classic',
  'nest-redis': "Nest's Redis transport",
};

/** What moves with no slot does not notice that slots move. */
const unaffected: Partial<Record<PeerName, readonly string[]>> = {
  'ioredis-classic': ['slot-migration'],
  'nest-redis': ['slot-migration'],
};

/** What a file of `--json` holds, as far as it matters here; and when it was written. */
interface Recording {
  readonly rate: number;
  readonly outcomes: readonly RecordedOutcome[];
}

interface Conditions {
  readonly day: string;
  readonly minutes: number;
  readonly machine: string;
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { from: { type: 'string' } } });
  const folder = values.from ?? mkdtempSync(join(tmpdir(), 'chaos-matrix-'));
  if (values.from === undefined) await playAll(folder);
  const recordings = new Map(peerNames.map((peer) => [peer, read(fileOf(folder, peer)) as Recording]));
  const conditions = read(join(folder, 'conditions.json')) as Conditions;
  await write(sectionOf(recordings, conditions));
  console.log(`\nWritten to ${document}, from ${folder}`);
}

async function playAll(folder: string): Promise<void> {
  const began = performance.now();
  for (const peer of peerNames) await playWith(peer, fileOf(folder, peer));
  const conditions: Conditions = {
    day: new Date().toISOString().slice(0, 10),
    minutes: Number(((performance.now() - began) / 60_000).toFixed(1)),
    machine:
      `${cpus().length} cores with a load average of ${Math.round(loadavg()[1] ?? 0)}, ` +
      ['ioredis', '@nestjs/microservices'].map((name) => `${name} ${versionOf(name)}, `).join('') +
      `Node ${process.versions.node}`,
  };
  writeFileSync(join(folder, 'conditions.json'), JSON.stringify(conditions));
}

/** One after another: two peers at once would measure each other. */
async function playWith(peer: PeerName, json: string): Promise<void> {
  const only = scenarios.map(({ name }) => name).filter((name) => !unaffected[peer]?.includes(name));
  const options = ['--peer', peer, '--only', only.join(','), '--seed', seed, '--aim', String(home)];
  const child = spawn(process.execPath, ['--import', 'tsx', run, ...options, '--json', json], {
    stdio: 'inherit',
  });
  const [code] = (await once(child, 'exit')) as [number | null];
  // 1 says that not all was well, which is what is to be shown; 130 is Ctrl-C.
  if (code === 130) throw new Error('Interrupted.');
  if (!existsSync(json)) throw new Error(`The run with ${peer} has left no outcomes.`);
}

function sectionOf(recordings: ReadonlyMap<PeerName, Recording>, conditions: Conditions): string {
  const matrix: Matrix = new Map([...recordings].map(([peer, { outcomes }]) => [peer, outcomes]));
  const { day, minutes, machine } = conditions;
  const rate = recordings.get('ours')?.rate ?? 0;
  const sum = (outcomes: readonly RecordedOutcome[]): string =>
    outcomes.reduce((total, { verdict }) => total + verdict.published, 0).toLocaleString('en-US');
  const published = [...recordings].map(([peer, { outcomes }]) => `${titles[peer]}: ${sum(outcomes)}`);
  return [
    `Measured on ${day} by \`npm run test:chaos:matrix\` in ${minutes} minutes (${machine}): 3 masters ` +
      `and 3 replicas, \`cluster-node-timeout\` 2000, ${rate} messages a second from two publishers to two subscribers. ` +
      `Each peer has one run. The faults strike the node where those stand that stand at one node only. Published in all: ${published.join('; ')}.`,
    '',
    matrixOf(matrix, scenarios, (peer) => titles[peer]),
    '',
    '- **recovery**: from the worst fault of the scenario until the last message that did not come was published, or the last came that took more than 250 ms. **pause**: the longest time one subscription went without its messages; of faults that last (a migration) or come again each second (`CLIENT KILL`) it is the number to look at. 0: no two messages in a row were lost or late.',
    '- **lost**: taken by Redis and never delivered, once for each subscription. **twice**, **disorder**: delivered more than once, or after a later one.',
    '- **told**: _reported_: a gap names the subscription and the time. _signs_: there was an event or an error of the client, of which nobody can tell what was lost. _silent_: there was none. _refused_: the publisher got an error. _unsettled_: a publish neither succeeded nor failed within 12 s. _unhandled_: rejections of promises inside the client, out of reach of the application; by default Node ends the process at the first. –: nothing was lost or refused, however late it came.',
    "- **what is compared**: every peer gets the same number of messages a second, over the kinds of channels that it has, so that losses of different peers are of different channels; the failures of requests are not in the table. ioredis, classic, stands at one node of six by chance, and here always at the one that is struck. Nest's transport cannot follow a promotion: it comes back because the scenario starts the killed node again, with `retryDelay` 500. Where a migration does not apply it was not played: these two subscribe without regard to slots.",
  ].join('\n');
}

async function write(section: string): Promise<void> {
  const text = existsSync(document) ? readFileSync(document, 'utf8') : `# Resilience\n\n${start}\n${end}\n`;
  const from = text.indexOf(start);
  const to = text.indexOf(end);
  if (from < 0 || to < from) throw new Error(`${document} has no place for the table: ${start} and ${end}.`);
  const whole = `${text.slice(0, from)}${start}\n\n${section}\n\n${text.slice(to)}`;
  const config = await resolveConfig(document);
  writeFileSync(document, await format(whole, { ...config, parser: 'markdown' }));
}

function versionOf(name: string): string {
  const manifest = new URL(`../../node_modules/${name}/package.json`, import.meta.url);
  return (read(fileURLToPath(manifest)) as { version: string }).version;
}

function fileOf(folder: string, peer: PeerName): string {
  return join(folder, `${peer}.json`);
}

function read(file: string): unknown {
  return JSON.parse(readFileSync(file, 'utf8'));
}

await main();
