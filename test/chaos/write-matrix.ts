// npm run test:chaos:matrix: plays the same faults with every peer, and writes the result into docs/resilience.md.
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
import { aimedNode } from './peers/aimed-node.js';
import { type PeerName, peerNames } from './peers/index.js';

const document = fileURLToPath(new URL('../../docs/resilience.md', import.meta.url));
const run = fileURLToPath(new URL('run.ts', import.meta.url));
const start = '<!-- matrix:start -->';
const end = '<!-- matrix:end -->';

/** The same seed for every peer. */
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

/** Scenarios that do not apply to a peer: clients that ignore slots are not affected when slots move. */
const unaffected: Partial<Record<PeerName, readonly string[]>> = {
  'ioredis-classic': ['slot-migration'],
  'nest-redis': ['slot-migration'],
};

/** The relevant part of a file of `--json`. */
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

/** Peers are played one after another, because two at once would disturb each other. */
async function playWith(peer: PeerName, json: string): Promise<void> {
  const only = scenarios.map(({ name }) => name).filter((name) => !unaffected[peer]?.includes(name));
  const options = ['--peer', peer, '--only', only.join(','), '--seed', seed, '--aim', String(aimedNode)];
  const child = spawn(process.execPath, ['--import', 'tsx', run, ...options, '--json', json], {
    stdio: 'inherit',
  });
  const [code] = (await once(child, 'exit')) as [number | null];
  // Exit code 1 is a result to show: something failed. 130 is Ctrl-C.
  if (code === 130) throw new Error('Interrupted.');
  if (!existsSync(json)) throw new Error(`The run with ${peer} wrote no outcomes.`);
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
      `Each peer has one run. Faults hit the node that carries the subscriptions of clients that use only one node. Published in total: ${published.join('; ')}.`,
    '',
    matrixOf(matrix, scenarios, (peer) => titles[peer]),
    '',
    '- **recovery**: time from the worst fault of the scenario until the last missing message was published, or the last message with a delay of more than 250 ms arrived. **pause**: the longest time that one subscription received none of its messages; it is the relevant number for faults that last (a migration) or repeat each second (`CLIENT KILL`). 0: no two consecutive messages were lost or late.',
    '- **lost**: accepted by Redis and never delivered, counted per subscription. **duplicated**, **disorder**: delivered more than once, or after a later message.',
    '- **signal**: _reported_: a gap names the subscription and the time. _signs_: the client emitted an event or an error that does not say what was lost. _silent_: it emitted none. _refused_: the publisher got an error. _unsettled_: a publish neither succeeded nor failed within 12 s. _unhandled_: promise rejections inside the client that the application cannot handle; by default Node ends the process at the first. –: nothing was lost or refused, however late it arrived.',
    "- **comparison**: every peer gets the same number of messages per second, over the kinds of channels that it supports, so the losses of different peers are on different channels; failed requests are not in the table. ioredis, classic, subscribes on one node of six at random, and here always on the one that is hit. Nest's transport cannot follow a promotion: it recovers because the scenario restarts the killed node, with `retryDelay` 500. A migration does not apply to these two, because they subscribe without regard to slots.",
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
