// npm run test:package [application…]: packs the package, installs the tarball into fresh applications (test/package)
// and runs them on real clusters. Ends with one line: N passed, N failed.
import { spawn, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ensureBuilt } from './ensure-built.mjs';
import { setup } from './setup.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const npmInstall = ['install', '--prefer-offline', '--no-audit', '--no-fund'];
/** Time limit for one step, in ms; installing from a slow registry takes longest. */
const stepTimeout = 300_000;

/** The oldest supported Nest, with the oldest of its peer dependencies. */
const nest11 = ['common', 'core', 'microservices', 'platform-express', 'terminus', 'testing']
  .map((name) => `@nestjs/${name}@11.0.0`)
  .concat('rxjs@7.1.0', 'reflect-metadata@0.1.13');

const applications = [
  { folder: 'nest12-esm', terminus: '@nestjs/terminus@^12.0.0', hasTests: false },
  { folder: 'nest11-cjs', terminus: '@nestjs/terminus@^11.0.0', hasTests: true, oldest: nest11 },
];
/** The oldest supported and the newest ioredis of each major, with the protocols to test. */
const clients = [
  { ioredis: '5.9.0', protocols: [2] },
  { ioredis: '^5.9.0', protocols: [2] },
  { ioredis: '^6.0.0', protocols: [2, 3] },
];
/** The module resolutions of TypeScript to test, each with its `module`. */
const resolutions = { node16: 'node16', nodenext: 'nodenext', bundler: 'esnext' };

const count = { passed: 0, failed: 0 };
let running;
process.exitCode = await main();

async function main() {
  const folder = mkdtempSync(join(tmpdir(), 'ncps-package-'));
  for (const signal of ['SIGINT', 'SIGTERM']) {
    process.once(signal, () => {
      endGroup(running);
      rmSync(folder, { recursive: true, force: true });
      process.exit(130);
    });
  }
  try {
    setup();
    ensureBuilt();
    const tarball = await step('the tarball contains exactly the published files', () => pack(folder));
    if (tarball !== undefined) {
      const wanted = process.argv.slice(2);
      for (const application of applications) {
        if (wanted.length > 0 && !wanted.includes(application.folder)) continue;
        await testApplication(application, folder, tarball);
      }
    }
  } catch (error) {
    console.error(error.message);
    count.failed += 1;
  } finally {
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  }
  console.log(`${count.passed} passed, ${count.failed} failed`);
  return count.failed > 0 ? 1 : 0;
}

function pack(folder) {
  // The package is built already; the prepack script would build it again.
  const args = ['pack', '--json', '--ignore-scripts', '--pack-destination', folder];
  const { status, stdout } = spawnSync('npm', args, {
    cwd: root,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  if (status !== 0) throw new Error('npm pack failed; see above.');
  const [{ filename, files }] = JSON.parse(stdout);
  const found = new Set(files.map(({ path }) => path.replace(/^(dist|docs)\/.*/, '$1')));
  const wanted = ['CHANGELOG.md', 'LICENSE', 'README.md', 'dist', 'docs', 'package.json'];
  if ([...found].sort().join() !== wanted.join()) {
    throw new Error(`The tarball contains ${[...found].sort().join(', ')}; expected ${wanted.join(', ')}.`);
  }
  return join(folder, filename);
}

/** Each step needs the previous one: the first failure ends the application's test. */
async function testApplication({ folder, terminus, hasTests, oldest }, parent, tarball) {
  const cwd = join(parent, folder);
  cpSync(join(root, 'test/package/shared'), cwd, { recursive: true });
  cpSync(join(root, 'test/package', folder), cwd, {
    recursive: true,
    filter: (path) => !/[\\/](node_modules|dist|package-lock\.json)$/.test(path),
  });
  const run = (command, ...args) => execute(cwd, command, args);
  const tsc = (...args) => run(process.execPath, 'node_modules/typescript/bin/tsc', ...args);
  const steps = [
    ['installs', () => run('npm', ...npmInstall, tarball).then(() => versions(cwd))],
    ['type checks and compiles', () => tsc()],
    ['runs, without Terminus', () => run(process.execPath, 'dist/src/main.js')],
  ];
  if (hasTests) {
    steps.push(['passes its Jest tests', () => run(process.execPath, 'node_modules/jest/bin/jest.js')]);
  }
  steps.push(
    ['installs the optional peers', () => run('npm', ...npmInstall, terminus, ...optionalPeers())],
    ['compiles with Terminus', () => tsc('-p', 'tsconfig.terminus.json')],
    ['runs with Terminus', () => run(process.execPath, 'dist/terminus/main.js')],
    ['compiles the round trip', () => tsc('-p', configOfRoundTrip(cwd))],
  );
  writeConsumers(cwd);
  for (const resolution of Object.keys(resolutions)) {
    steps.push([
      `type checks against every entry, resolved as ${resolution}`,
      () => tsc('-p', configOfConsumers(cwd, resolution)),
    ]);
  }
  for (const { ioredis, protocols } of clients) {
    const reinstall = () => run('npm', ...npmInstall, `ioredis@${ioredis}`).then(() => versions(cwd));
    steps.push(
      [`installs ioredis ${ioredis}`, reinstall],
      [`type checks with ioredis ${ioredis}`, () => tsc('-p', configOfConsumers(cwd, 'nodenext'))],
    );
    for (const protocol of protocols) {
      const roundTrip = () => run(process.execPath, 'dist/round-trip/main.js', String(protocol));
      steps.push([`passes the round trip with ioredis ${ioredis}, RESP${protocol}`, roundTrip]);
    }
  }
  if (oldest !== undefined) {
    steps.push(
      ['installs the oldest Nest', () => run('npm', ...npmInstall, ...oldest).then(() => versions(cwd))],
      [
        'passes the round trip with the oldest Nest',
        () => run(process.execPath, 'dist/round-trip/main.js', '2'),
      ],
    );
  }
  for (const [promise, work] of steps) {
    const result = await step(`${folder} ${promise}`, work);
    if (result === undefined) return;
    if (/^installs($| ioredis| the oldest)/.test(promise)) console.log(`      ${result}`);
  }
}

/** The optional peers besides Terminus, which goes with the version of Nest. */
function optionalPeers() {
  const { peerDependencies, peerDependenciesMeta } = packageJson();
  return Object.entries(peerDependenciesMeta)
    .filter(([name, { optional }]) => optional && name !== '@nestjs/terminus')
    .map(([name]) => `${name}@${peerDependencies[name]}`);
}

/** Writes an import of each entry that has no consumer of its own in test/package/shared. */
function writeConsumers(cwd) {
  const { name, exports } = packageJson();
  for (const path of Object.keys(exports).filter((entry) => entry !== './package.json')) {
    const file = join(cwd, 'consumer', `${path === '.' ? 'index' : basename(path)}.ts`);
    if (existsSync(file)) continue;
    writeFileSync(
      file,
      `import * as entry from '${name}${path.slice(1)}';\nexport const names = Object.keys(entry);\n`,
    );
  }
}

function configOfConsumers(cwd, moduleResolution) {
  return writeConfig(cwd, `tsconfig.${moduleResolution}.json`, {
    compilerOptions: {
      target: 'ES2022',
      module: resolutions[moduleResolution],
      moduleResolution,
      types: ['node'],
      strict: true,
      exactOptionalPropertyTypes: true,
      skipLibCheck: false,
      experimentalDecorators: true,
      emitDecoratorMetadata: true,
      noEmit: true,
    },
    include: ['consumer'],
  });
}

function configOfRoundTrip(cwd) {
  return writeConfig(cwd, 'tsconfig.round-trip.json', {
    extends: './tsconfig.json',
    include: ['round-trip'],
  });
}

function writeConfig(cwd, file, config) {
  writeFileSync(join(cwd, file), JSON.stringify(config));
  return file;
}

function packageJson() {
  return JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
}

function versions(cwd) {
  const names = ['@nestjs/core', '@nestjs/microservices', 'ioredis', 'typescript'];
  const read = (name) => JSON.parse(readFileSync(join(cwd, 'node_modules', name, 'package.json'), 'utf8'));
  return names.map((name) => `${name} ${read(name).version}`).join(', ');
}

/** Resolves with the result of the work, or undefined when it failed. */
async function step(promise, work) {
  const started = performance.now();
  const seconds = () => `${((performance.now() - started) / 1_000).toFixed(1)} s`;
  try {
    const result = await work();
    count.passed += 1;
    console.log(`ok    ${promise} (${seconds()})`);
    return result;
  } catch (error) {
    count.failed += 1;
    console.log(`FAIL  ${promise} (${seconds()})\n${error.message}`);
    return undefined;
  }
}

/** Resolves with the output of the command; rejects with it when the command fails or takes too long. */
function execute(cwd, command, args) {
  return new Promise((resolve, reject) => {
    const env = { ...process.env };
    // Variables of npm and of the test runner describe this project, not the fresh one.
    for (const name of Object.keys(env))
      if (/^(npm_(package|lifecycle)_|NODE_OPTIONS$)/.test(name)) delete env[name];
    // Its own process group, so that a timeout ends its children too.
    const child = spawn(command, args, { cwd, env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
    running = child;
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text) => (output += text));
    }
    const timer = setTimeout(() => {
      output += `\nNot done within ${stepTimeout / 1_000} s.`;
      endGroup(child);
    }, stepTimeout);
    child.once('error', reject);
    child.once('close', (code) => {
      clearTimeout(timer);
      running = undefined;
      if (code === 0) resolve(output);
      else reject(new Error(output));
    });
  });
}

function endGroup(child) {
  if (child?.pid === undefined) return;
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch {
    // The process has already ended.
  }
}
