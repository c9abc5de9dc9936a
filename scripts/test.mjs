// npm test: sets up, runs Jest and ends with one line: N passed, N failed. With arguments, which are Jest's, that is one
// run; without, two: `*.serial.test.ts` run by themselves. `--unit` runs the unit tests only, `--coverage` reports the
// coverage of all tests but the serial ones.
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { setup } from './setup.mjs';

/** How long Jest may take to end after it has written its results. */
const EXIT_TIMEOUT_MS = 20_000;

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
  let isInterrupted = false;
  // Ctrl-C reaches Jest too, which ends its workers; we go on to print the totals.
  process.on('SIGINT', () => (isInterrupted = true));
  try {
    const total = { passed: 0, failed: 0 };
    for (const [index, args] of runsFor(process.argv.slice(2)).entries()) {
      if (isInterrupted) break;
      const { passed, failed } = await runJest(join(folder, `result-${index}.json`), args);
      total.passed += passed;
      total.failed += failed;
    }
    console.log(`${total.passed} passed, ${total.failed} failed`);
    return total.failed > 0 || total.passed === 0 ? 1 : 0;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The arguments of each run of Jest. `--selectProjects` is last, as it takes all that follows for projects. */
function runsFor(given) {
  if (given[0] === '--unit') return [[...given.slice(1), '--selectProjects', 'unit']];
  // Counting costs so much time that four files at once would disturb each other.
  if (given[0] === '--coverage') {
    return [['--maxWorkers', '2', ...given, '--selectProjects', 'unit', 'integration']];
  }
  if (given.length > 0) return [given];
  return [
    ['--selectProjects', 'unit', 'integration'],
    ['--runInBand', '--selectProjects', 'serial'],
  ];
}

async function runJest(resultFile, args) {
  const ended = await startJest(['--json', `--outputFile=${resultFile}`, ...args], resultFile);
  const { passed, failed } = read(resultFile);
  if (passed + failed === 0) console.error('No test ran.');
  // A run that failed without a failed test (it hung, or was killed) does not end with "0 failed".
  return { passed, failed: failed === 0 && ended.withFailure ? 1 : failed };
}

function startJest(args, resultFile) {
  const jest = join(root, 'node_modules', 'jest', 'bin', 'jest.js');
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
    child.once('exit', (code) => resolve({ withFailure: code !== 0 }));
    endWhatHangs(child, resultFile);
  });
}

/** Ends a Jest that waits for ever for what a test has left open: that is a failure, which must be reported. */
function endWhatHangs(child, resultFile) {
  const watching = setInterval(() => {
    if (!existsSync(resultFile) || Date.now() - statSync(resultFile).mtimeMs < EXIT_TIMEOUT_MS) return;
    console.error(
      `Jest did not end ${EXIT_TIMEOUT_MS / 1_000} s after its last test: something was left open.`,
    );
    child.kill('SIGKILL');
  }, 1_000);
  child.once('exit', () => clearInterval(watching));
}

/** Counts a suite that could not even start, which has no tests in Jest's count, as a failure. */
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
