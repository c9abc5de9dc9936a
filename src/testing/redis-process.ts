import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { LocalClusterError } from './errors.js';
import { addressOf, loopback, type LocalNode } from './node-address.js';
import { renderConfig, type RedisConfig } from './redis-config.js';
import type { Watchdog } from './watchdog.js';

/** Time for a server to end by itself, in ms; Redis 7 would wait 10 s for a replica that lags. */
const graceOnTerminate = 1_000;

const logTailLines = 8;

/**
 * - `running`: the process exists and runs
 * - `paused`: stopped by SIGSTOP; its sockets stay open, but it does not respond
 * - `ended`: not started yet, killed, or ended by itself
 */
export type ProcessState = 'running' | 'paused' | 'ended';

/** One server process with its own port and a folder that is kept over restarts. */
export class RedisProcess implements LocalNode {
  readonly host = loopback;
  #child: ChildProcess | undefined;
  #state: ProcessState = 'ended';
  readonly #folder: string;

  constructor(
    readonly port: number,
    private readonly program: string,
    parentFolder: string,
    private readonly config: RedisConfig,
    private readonly watchdog: Watchdog,
  ) {
    this.#folder = join(parentFolder, String(port));
  }

  get state(): ProcessState {
    return this.#state;
  }

  /** Process id, or undefined when the server does not run. */
  get pid(): number | undefined {
    return this.#state === 'ended' ? undefined : this.#child?.pid;
  }

  /** The last lines of the log, for error messages. */
  get logTail(): string {
    try {
      return readFileSync(this.#logFile, 'utf8').trimEnd().split('\n').slice(-logTailLines).join('\n');
    } catch {
      return '(no log)';
    }
  }

  get #logFile(): string {
    return join(this.#folder, 'redis.log');
  }

  /** Starts the process; resolves when it exists, before it accepts commands. */
  async start(): Promise<void> {
    if (this.#state !== 'ended') return;
    mkdirSync(this.#folder, { recursive: true });
    const configFile = join(this.#folder, 'redis.conf');
    writeFileSync(configFile, renderConfig({ ...this.config, port: this.port, dir: this.#folder }), {
      mode: 0o600,
    });
    const log = openSync(this.#logFile, 'a');
    const child = spawn(this.program, [configFile], {
      cwd: this.#folder,
      stdio: ['ignore', log, log],
      // In its own process group, so that Ctrl-C in a terminal reaches only the program under test, which may still need
      // Redis while it shuts down. The watchdog ends the server.
      detached: true,
    });
    closeSync(log);
    this.#child = child;
    this.#state = 'running';
    child.once('exit', () => {
      this.#state = 'ended';
      if (child.pid !== undefined) this.watchdog.forgetProcess(child.pid);
    });
    // A cluster that was not stopped must not keep a test run alive.
    child.unref();
    if (child.pid !== undefined) this.watchdog.watchProcess(child.pid);
    await once(child, 'spawn').catch((cause: unknown) => {
      this.#state = 'ended';
      throw new LocalClusterError('REDIS_SERVER_FAILED', `${this.program} could not be started.`, { cause });
    });
  }

  /** Ends the process at once, like a crash or a lost machine. */
  kill(): Promise<void> {
    return this.#end('SIGKILL');
  }

  /** Terminates the process, and kills it if it does not end within a second. */
  async terminate(): Promise<void> {
    this.resume();
    const ended = this.#end('SIGTERM');
    const timer = new AbortController();
    const grace = sleep(graceOnTerminate, undefined, { signal: timer.signal }).then(
      () => this.kill(),
      () => undefined,
    );
    await ended;
    timer.abort();
    await grace;
  }

  /** Freezes the process: its connections stay open, but it does not respond. */
  pause(): void {
    if (this.#state !== 'running') return;
    this.#child?.kill('SIGSTOP');
    this.#state = 'paused';
  }

  resume(): void {
    if (this.#state !== 'paused') return;
    this.#child?.kill('SIGCONT');
    this.#state = 'running';
  }

  /** The error for a process that has ended unexpectedly. */
  failure(): LocalClusterError {
    return new LocalClusterError(
      'REDIS_SERVER_FAILED',
      `The server on ${addressOf(this)} ended. The last lines of its log:\n${this.logTail}`,
    );
  }

  async #end(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    const child = this.#child;
    if (child === undefined || this.#state === 'ended') return;
    child.ref();
    const exited = once(child, 'exit');
    child.kill(signal);
    await exited;
  }
}
