// npm run api:report: writes the exports of each entry of the package to api/, from the built declarations.
// npm run api:check: writes nothing, and fails when api/ is out of date.
import { CompilerState, Extractor, ExtractorConfig } from '@microsoft/api-extractor';
import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { argv } from 'node:process';
import { fileURLToPath } from 'node:url';
import { ensurePackageBuilt } from './ensure-built.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const committed = join(root, 'api');
const checks = argv.includes('--check');
const temporary = mkdtempSync(join(tmpdir(), 'ncps-api-'));

try {
  ensurePackageBuilt();
  const reports = writeReports(entriesOf(JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))));
  const changed = reports.filter(({ name, text }) => text !== read(join(committed, name)));
  const stale = filesOf(committed).filter((file) => !reports.some(({ name }) => name === file));
  if (checks) report(changed, stale);
  else replace(changed, stale);
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
} finally {
  rmSync(temporary, { recursive: true, force: true });
}

/** The entries with declarations, each with the name of its report: `index.md`, `terminus.md`, … */
function entriesOf({ name: packageName, exports }) {
  return Object.entries(exports)
    .filter(([, conditions]) => conditions.import?.types !== undefined)
    .map(([path, conditions]) => ({
      title: packageName + path.slice(1),
      name: `${path === '.' ? 'index' : basename(path)}.md`,
      declarations: join(root, conditions.import.types),
    }));
}

function writeReports(entries) {
  const configs = entries.map((entry) => configOf(entry, entries));
  // One program for all entries, because reading the declarations of Nest and ioredis is slow.
  const compilerState = CompilerState.create(configs[0], {
    additionalEntryPoints: entries.map(({ declarations }) => declarations),
  });
  return configs.map((config, index) => {
    const { succeeded } = Extractor.invoke(config, {
      localBuild: true,
      compilerState,
      messageCallback: (message) => (message.handled = message.logLevel !== 'error'),
    });
    if (!succeeded) throw new Error(`API Extractor could not read ${config.mainEntryPointFilePath}.`);
    const { title, name } = entries[index];
    const [{ fileName }] = config.reportConfigs;
    return { name, text: tidy(title, readFileSync(join(temporary, fileName), 'utf8')) };
  });
}

function configOf({ name, declarations }, entries) {
  const silent = { default: { logLevel: 'none' } };
  return ExtractorConfig.prepare({
    configObjectFullPath: undefined,
    packageJsonFullPath: join(root, 'package.json'),
    configObject: {
      projectFolder: root,
      mainEntryPointFilePath: declarations,
      newlineKind: 'lf',
      compiler: {
        overrideTsconfig: {
          compilerOptions: {
            target: 'ES2022',
            lib: ['ES2023', 'ESNext.Disposable'],
            module: 'nodenext',
            moduleResolution: 'nodenext',
            types: ['node'],
            strict: true,
            skipLibCheck: true,
          },
          files: entries.map((entry) => entry.declarations),
        },
      },
      apiReport: {
        enabled: true,
        reportFileName: name.replace('.md', ''),
        // Members marked @internal are not public.
        reportVariants: ['public'],
        reportFolder: temporary,
        reportTempFolder: join(temporary, 'compared'),
        // Types that are reachable but not exported. The other entries use those of the main one.
        includeForgottenExports: name === 'index.md',
      },
      docModel: { enabled: false },
      dtsRollup: { enabled: false },
      tsdocMetadata: { enabled: false },
      messages: {
        compilerMessageReporting: { default: { logLevel: 'error' } },
        extractorMessageReporting: silent,
        tsdocMessageReporting: silent,
      },
    },
  });
}

/** Keeps only the declarations: whether one has a comment is not part of the API. */
function tidy(title, text) {
  const code = text
    .slice(text.indexOf('```ts'), text.lastIndexOf('```'))
    .replace(/^ *\/\/ \(undocumented\)\n/gm, '')
    .replace(/^\/\/ @public.*\n/gm, '')
    .replace(/^\/\/ \(No @packageDocumentation.*\n/gm, '')
    .replace(/^```ts\n+/, '```ts\n')
    .trimEnd();
  return `# What \`${title}\` exports\n\nWritten by \`npm run api:report\`; do not edit.\n\n${code}\n\`\`\`\n`;
}

function replace(changed, stale) {
  mkdirSync(committed, { recursive: true });
  for (const { name, text } of changed) writeFileSync(join(committed, name), text);
  for (const name of stale) rmSync(join(committed, name));
  const all = [...changed.map(({ name }) => `${name} written`), ...stale.map((name) => `${name} removed`)];
  console.log(`api/: ${all.join(', ') || 'up to date'}`);
}

function report(changed, stale) {
  if (changed.length + stale.length === 0) {
    console.log('api/: up to date');
    return;
  }
  for (const { name, text } of changed) console.error(difference(name, text));
  for (const name of stale)
    console.error(`api/${name} belongs to an entry that package.json no longer exports.`);
  console.error(
    'The public API differs from api/. If that is intended, run npm run api:report, commit the result, and add a ' +
      'line to CHANGELOG.md.',
  );
  process.exitCode = 1;
}

function difference(name, text) {
  if (!existsSync(join(committed, name))) return `api/${name} is missing.`;
  const now = join(temporary, name);
  writeFileSync(now, text);
  const args = ['diff', '--no-index', '--no-color', '-U2', join('api', name), now];
  const { stdout } = spawnSync('git', args, { cwd: root, encoding: 'utf8' });
  return `api/${name} differs:\n${(stdout ?? '').replace(/^(diff|index|---|\+\+\+) .*\n/gm, '')}`;
}

function filesOf(folder) {
  return existsSync(folder) ? readdirSync(folder).filter((file) => file.endsWith('.md')) : [];
}

function read(file) {
  return existsSync(file) ? readFileSync(file, 'utf8') : undefined;
}
