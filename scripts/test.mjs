// npm test: sets up, runs Jest with the arguments given, and ends with one line: N passed, N failed.
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { setup } from './setup.mjs';

/** How long Jest may take to end after it has written its results, in ms. */
const HANGS_AFTER = 20_000;

const root = fileURLToPath(new URL('..', import.meta.url));

process.exitCode = await main();

async function main() {
  try {
    setup();
  } catch (error) {
    console.error(error.name === 'SetupError' ? error.message : error);
    return 1;
  }
  const folder = mkdtempSync(join(tmpdir(), 'ncps-test-'));
  try {
    const resultFile = join(folder, 'result.json');
    const jestFailed = await runJest(resultFile);
    const { passed, failed } = read(resultFile);
    if (passed + failed === 0) console.error('No test ran.');
    // A run that failed without a failed test (it hung, or was killed) does not end with "0 failed".
    const failures = failed === 0 && jestFailed ? 1 : failed;
    console.log(`${passed} passed, ${failures} failed`);
    return failures > 0 || passed === 0 ? 1 : 0;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function runJest(resultFile) {
  const jest = join(root, 'node_modules', 'jest', 'bin', 'jest.js');
  const args = ['--json', `--outputFile=${resultFile}`, ...process.argv.slice(2)];
  // Ctrl-C reaches Jest too, which ends its workers; we stay to say how far it came.
  process.on('SIGINT', () => {});
  const child = spawn(process.execPath, ['--experimental-vm-modules', '--no-warnings', jest, ...args], {
    cwd: root,
    stdio: 'inherit',
    env: {
      ...process.env,
      // Jest's workers take their flags from here.
      NODE_OPTIONS: `${process.env.NODE_OPTIONS ?? ''} --experimental-vm-modules --no-warnings`.trim(),
    },
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => resolve(code !== 0));
    endWhatHangs(child, resultFile);
  });
}

/** Jest waits for ever for what a test has left open. That is a failure, and a failure is to be told. */
function endWhatHangs(child, resultFile) {
  const looking = setInterval(() => {
    if (!existsSync(resultFile) || Date.now() - statSync(resultFile).mtimeMs < HANGS_AFTER) return;
    console.error(`Jest did not end ${HANGS_AFTER / 1_000} s after its last test: something was left open.`);
    child.kill('SIGKILL');
  }, 1_000);
  child.once('exit', () => clearInterval(looking));
}

/** A suite that could not even start has no tests in Jest's count; it is a failure all the same. */
function read(resultFile) {
  try {
    const { numPassedTests, numFailedTests, numRuntimeErrorTestSuites } = JSON.parse(
      readFileSync(resultFile, 'utf8'),
    );
    return { passed: numPassedTests, failed: numFailedTests + numRuntimeErrorTestSuites };
  } catch {
    return { passed: 0, failed: 0 };
  }
}
