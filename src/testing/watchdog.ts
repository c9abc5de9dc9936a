import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { tmpdir } from 'node:os';

// Runs in its own process. Its standard input closes when this process ends, even by `kill -9`; it then cleans up
// everything that is still in its lists. A string, because `node -e` needs no file, in either build of this package.
const script = `
const { rmSync } = require('node:fs');
const { setTimeout: sleep } = require('node:timers/promises');
const pids = new Set();
const folders = new Set();
const orders = {
  pid: (pid) => pids.add(Number(pid)),
  gone: (pid) => pids.delete(Number(pid)),
  folder: (folder) => folders.add(folder),
};
function signal(pid, name) {
  try { return process.kill(pid, name); } catch { return false; }
}
async function cleanUp() {
  for (const pid of pids) signal(pid, 'SIGKILL');
  for (let i = 0; i < 40 && [...pids].some((pid) => signal(pid, 0)); i++) await sleep(25);
  for (const folder of folders) rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
}
let rest = '';
process.stdin.setEncoding('utf8');
process.stdin.on('data', (chunk) => {
  const lines = (rest + chunk).split('\\n');
  rest = lines.pop();
  for (const line of lines) {
    const [order, ...argument] = line.split(' ');
    orders[order](argument.join(' '));
  }
});
process.stdin.on('end', cleanUp);
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(name, () => {});
`;

/** Ends the servers and removes the folder when this process ends without doing so itself. */
export class Watchdog {
  readonly #child: ChildProcess;

  constructor() {
    const env = { ...process.env };
    // Flags of the test runner (loaders, an inspector) are not for the watchdog.
    delete env.NODE_OPTIONS;
    this.#child = spawn(process.execPath, ['-e', script], {
      cwd: tmpdir(),
      env,
      // In its own process group, so that Ctrl-C in a terminal does not reach it.
      detached: true,
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    this.#child.on('error', ignore);
    this.#child.stdin?.on('error', ignore);
    this.#keepEventLoopAlive(false);
  }

  watchFolder(folder: string): void {
    this.#send(`folder ${folder}`);
  }

  watchProcess(pid: number): void {
    this.#send(`pid ${pid}`);
  }

  /** Call this when a process has ended: its id may soon belong to another program. */
  forgetProcess(pid: number): void {
    this.#send(`gone ${pid}`);
  }

  /** Lets the watchdog remove what is left; resolves when it has ended. */
  async release(): Promise<void> {
    const child = this.#child;
    if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
    this.#keepEventLoopAlive(true);
    const exited = once(child, 'exit');
    child.stdin?.end();
    await exited;
  }

  #send(line: string): void {
    // libuv writes small chunks to a pipe at once, so the watchdog knows even if this process ends immediately after.
    this.#child.stdin?.write(`${line}\n`);
  }

  #keepEventLoopAlive(yes: boolean): void {
    const method = yes ? 'ref' : 'unref';
    this.#child[method]();
    // Typed as Writable, but it is a socket, whose handle would keep the event loop alive as well.
    (this.#child.stdin as Partial<Record<typeof method, () => void>> | null)?.[method]?.();
  }
}

function ignore(): void {
  // Without a watchdog the cluster still works; only the clean-up after a crash is missing.
}
