// Builds dist/esm and dist/cjs from one source, beside the old dist, and replaces it when both are complete, so that a
// program that runs from dist meanwhile (the demo, a test) never loads half a build.
import { spawn } from 'node:child_process';
import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { pid } from 'node:process';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const tsc = fileURLToPath(new URL('../node_modules/typescript/bin/tsc', import.meta.url));

const fresh = `dist.new-${pid}`;
const old = `dist.old-${pid}`;

function compile(config, folder) {
  return new Promise((resolve, reject) => {
    const args = [tsc, '-p', config, '--outDir', `${fresh}/${folder}`];
    const child = spawn(process.execPath, args, { cwd: root, stdio: 'inherit' });
    child.once('error', reject);
    child.once('exit', (code) => {
      if (code === 0) resolve();
      else reject(new Error(`${config} did not compile`));
    });
  });
}

function replaceDist(attempts = 3) {
  try {
    renameSync(`${root}/dist`, `${root}/${old}`);
  } catch (error) {
    if (error.code !== 'ENOENT') throw error;
  }
  try {
    renameSync(`${root}/${fresh}`, `${root}/dist`);
  } catch (error) {
    // Another build was faster: two tests of one run may both find dist out of date.
    if (error.code !== 'ENOTEMPTY' || attempts === 1) throw error;
    rmSync(`${root}/${old}`, { recursive: true, force: true });
    replaceDist(attempts - 1);
  }
}

try {
  const compiled = [compile('tsconfig.build.json', 'esm'), compile('tsconfig.build.cjs.json', 'cjs')];
  await Promise.allSettled(compiled); // one may still be writing when the other has failed
  await Promise.all(compiled);
  // The package is "type": "module"; this folder is the exception.
  writeFileSync(`${root}/${fresh}/cjs/package.json`, '{ "type": "commonjs" }\n');
  replaceDist();
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
} finally {
  for (const folder of [fresh, old])
    rmSync(`${root}/${folder}`, { recursive: true, force: true, maxRetries: 5 });
}
