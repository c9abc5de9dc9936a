import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ControlConnections } from './control-connections.js';
import { withControl } from './control-connections.js';
import { LocalClusterError } from './errors.js';
import { findRedisServer } from './find-redis-server.js';
import { addressOf, type NodeReference } from './node-address.js';
import { findFreePorts } from './ports.js';
import { passwordConfig, type RedisConfig } from './redis-config.js';
import { RedisProcess } from './redis-process.js';
import { waitUntil } from './wait-until.js';
import { Watchdog } from './watchdog.js';

/** How long a server may take until it answers, in milliseconds. */
const serveTimeout = 10_000;

/** How often other ports are tried when somebody else took ours between looking and binding. */
const attempts = 3;

/** Server processes with one temporary folder and one watchdog, that begin and end together. */
export class ServerGroup {
  readonly #processes: RedisProcess[] = [];
  readonly #folder: string;
  readonly #watchdog: Watchdog;
  readonly #program: string;
  readonly #config: RedisConfig;
  #stopping: Promise<void> | undefined;

  /** @throws LocalClusterError `REDIS_SERVER_NOT_FOUND` */
  constructor(
    config: RedisConfig,
    readonly password: string | undefined,
  ) {
    this.#program = findRedisServer();
    this.#config = {
      bind: '127.0.0.1',
      'protected-mode': 'no',
      daemonize: 'no',
      save: '',
      appendonly: 'no',
      ...passwordConfig(password),
      ...config,
    };
    this.#watchdog = new Watchdog();
    this.#folder = mkdtempSync(join(tmpdir(), 'ncps-redis-'));
    this.#watchdog.watchFolder(this.#folder);
  }

  get processes(): readonly RedisProcess[] {
    return this.#processes;
  }

  /** The temporary folder with the servers' files and logs. */
  get folder(): string {
    return this.#folder;
  }

  get watchdogPid(): number | undefined {
    return this.#watchdog.pid;
  }

  /** Servers that should answer: neither ended nor paused. */
  get responsive(): RedisProcess[] {
    return this.#processes.filter(({ state }) => state === 'running');
  }

  /** Starts `count` servers and resolves when they serve. */
  async launch(count: number): Promise<RedisProcess[]> {
    const launched = await Promise.all((await findFreePorts(count)).map((port) => this.#launchOne(port)));
    this.#processes.push(...launched);
    return launched;
  }

  /** Starts a process of this group, again or for the first time, and resolves when it serves. */
  async serve(process: RedisProcess): Promise<void> {
    await process.start();
    await withControl(this.password, (control) =>
      waitUntil(`the server on ${addressOf(process)} answers`, serveTimeout, async () => {
        if (process.state === 'ended') throw process.failure();
        // The process id tells our server from one that holds the port already.
        const info = await control.ask(process, 'INFO', 'server');
        if (info?.includes(`process_id:${process.pid ?? 0}\r`) === true) return true;
        return 'it does not answer yet';
      }),
    );
  }

  find(node: NodeReference): RedisProcess {
    if (this.#stopping !== undefined) {
      throw new LocalClusterError('STOPPED', 'These servers have been stopped.');
    }
    const process = this.#processes.find(({ port }) => port === node.port);
    if (process === undefined) {
      throw new LocalClusterError('UNKNOWN_NODE', `No server of this group listens on port ${node.port}.`);
    }
    return process;
  }

  /** Runs `work` with connections to the servers; refuses when the group has been stopped. */
  control<T>(work: (control: ControlConnections) => Promise<T>): Promise<T> {
    if (this.#stopping !== undefined) {
      return Promise.reject(new LocalClusterError('STOPPED', 'These servers have been stopped.'));
    }
    return withControl(this.password, work);
  }

  /** Ends every process and removes the folder; all calls share one ending. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  async #stop(): Promise<void> {
    await Promise.all(this.#processes.map((process) => process.terminate()));
    rmSync(this.#folder, { recursive: true, force: true, maxRetries: 5 });
    await this.#watchdog.release();
  }

  async #launchOne(port: number): Promise<RedisProcess> {
    for (let attempt = 1; ; attempt++) {
      const process = new RedisProcess(port, this.#program, this.#folder, this.#config, this.#watchdog);
      try {
        await this.serve(process);
        return process;
      } catch (error) {
        await process.terminate();
        if (attempt === attempts || !/address already in use|bind/i.test(process.lastWords)) throw error;
        [port] = (await findFreePorts(1)) as [number];
      }
    }
  }
}
