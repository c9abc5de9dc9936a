// Builds dist/esm and dist/cjs from one source.
import { spawn } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const tsc = fileURLToPath(new URL('../node_modules/typescript/bin/tsc', import.meta.url));

function compile(config) {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [tsc, '-p', config], { cwd: root, stdio: 'inherit' });
    child.once('error', reject);
    child.once('exit', (code) => {
      if (code === 0) resolve();
      else reject(new Error(`${config} did not compile`));
    });
  });
}

rmSync(`${root}/dist`, { recursive: true, force: true });
try {
  await Promise.all([compile('tsconfig.build.json'), compile('tsconfig.build.cjs.json')]);
  // The package is "type": "module"; this marks the one folder that is not.
  writeFileSync(`${root}/dist/cjs/package.json`, '{ "type": "commonjs" }\n');
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}
