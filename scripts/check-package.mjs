// Packs the package once and checks the tarball: its files, its exports (publint), its types (attw).
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'ncps-pack-'));
const allowed = /^(dist\/|docs\/[a-z]+\.md$|(README\.md|LICENSE|CHANGELOG\.md|package\.json)$)/;

function run(tool, ...args) {
  execFileSync(join(root, 'node_modules', '.bin', tool), args, { cwd: root, stdio: 'inherit' });
}

try {
  const packed = execFileSync('npm', ['pack', '--json', '--pack-destination', folder], {
    cwd: root,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  // The prepack script may print before npm's JSON.
  const [{ filename, files }] = JSON.parse(packed.slice(packed.search(/^\[/m)));
  const unexpected = files.map(({ path }) => path).filter((path) => !allowed.test(path));
  if (unexpected.length > 0)
    throw new Error(`The tarball contains unexpected files: ${unexpected.join(', ')}`);

  const tarball = join(folder, filename);
  if (!existsSync(tarball)) throw new Error(`npm pack did not write ${tarball}`);
  run('publint', tarball, '--strict');
  run('attw', tarball);
  console.log(`${filename}: ${files.length} files`);
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
