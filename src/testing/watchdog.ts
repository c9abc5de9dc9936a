import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { tmpdir } from 'node:os';

// Runs in a process of its own. Our end of its standard input closes when we end, however we end, `kill -9`
// included; what is then still on its lists is cleaned up. JavaScript in a string, because `node -e` needs no file
// to be found, whichever build of this package we are.
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

/** Ends our servers and removes our folder when this process dies without doing so itself. */
export class Watchdog {
  readonly #child: ChildProcess;

  constructor() {
    const env = { ...process.env };
    // Flags of the test runner (loaders, an inspector) are none of the watchdog's business.
    delete env.NODE_OPTIONS;
    this.#child = spawn(process.execPath, ['-e', script], {
      cwd: tmpdir(),
      env,
      // Its own process group: Ctrl-C in a terminal must not reach it.
      detached: true,
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    this.#child.on('error', ignore);
    this.#child.stdin?.on('error', ignore);
    this.#keepEventLoopAlive(false);
  }

  watchFolder(folder: string): void {
    this.#tell(`folder ${folder}`);
  }

  watchProcess(pid: number): void {
    this.#tell(`pid ${pid}`);
  }

  /** To be told when a process has ended: its number may soon be another program's. */
  forgetProcess(pid: number): void {
    this.#tell(`gone ${pid}`);
  }

  /** Lets the watchdog remove what is left, and resolves when it has ended. */
  async release(): Promise<void> {
    const child = this.#child;
    if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
    this.#keepEventLoopAlive(true);
    const exited = once(child, 'exit');
    child.stdin?.end();
    await exited;
  }

  #tell(line: string): void {
    // libuv tries a small write to a pipe at once, so the watchdog knows even if we die in the next instruction.
    this.#child.stdin?.write(`${line}\n`);
  }

  #keepEventLoopAlive(yes: boolean): void {
    const method = yes ? 'ref' : 'unref';
    this.#child[method]();
    // The type says Writable; it is a socket, whose handle would keep the event loop alive as well.
    (this.#child.stdin as Partial<Record<typeof method, () => void>> | null)?.[method]?.();
  }
}

function ignore(): void {
  // Without a watchdog the cluster still works; only the clean-up after a crash is lost.
}
