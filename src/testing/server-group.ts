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

/** Time limit for a server to accept commands, in ms. */
const serveTimeout = 10_000;

/** Number of attempts with other ports when a port was taken between the check and the start. */
const attempts = 3;

/** Server processes that start and end together, with one temporary folder and one watchdog. */
export class ServerGroup {
  readonly #servers: RedisProcess[] = [];
  readonly #folder: string;
  readonly #watchdog: Watchdog;
  readonly #program: string;
  readonly #config: RedisConfig;
  #launching: Promise<unknown> | undefined;
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

  get servers(): readonly RedisProcess[] {
    return this.#servers;
  }

  /** The temporary folder with the files and logs of the servers. */
  get folder(): string {
    return this.#folder;
  }

  /** The servers that should respond: neither ended nor paused. */
  get responsive(): RedisProcess[] {
    return this.#servers.filter(({ state }) => state === 'running');
  }

  /** Starts `count` servers on ports from `firstPort` up, or on free ones; resolves when they accept commands. */
  launch(count: number, firstPort?: number): Promise<RedisProcess[]> {
    const launching = this.#launch(count, firstPort);
    this.#launching = launching.catch(() => undefined);
    return launching;
  }

  /** Starts a process of this group, again or for the first time; resolves when it accepts commands. */
  async serve(server: RedisProcess): Promise<void> {
    this.#assertNotStopped();
    await server.start();
    await withControl(this.password, (control) =>
      waitUntil(`the server on ${addressOf(server)} responds`, serveTimeout, async () => {
        if (server.state === 'ended') throw server.failure();
        // The process id distinguishes our server from another one on the same port.
        const info = await control.call(server, 'INFO', 'server').catch((error: unknown) => error);
        return String(info).includes(`process_id:${server.pid ?? 0}\r`) || `it does not yet: ${String(info)}`;
      }),
    );
  }

  find(node: NodeReference): RedisProcess {
    this.#assertNotStopped();
    const server = this.#servers.find(({ port }) => port === node.port);
    if (server === undefined) {
      throw new LocalClusterError('UNKNOWN_NODE', `No server of this group listens on port ${node.port}.`);
    }
    return server;
  }

  /** Runs `work` with connections to the servers; throws when the group was stopped. */
  async control<T>(work: (control: ControlConnections) => Promise<T>): Promise<T> {
    this.#assertNotStopped();
    return withControl(this.password, work);
  }

  /** Ends every process and removes the folder. Further calls return the same promise. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  #assertNotStopped(): void {
    if (this.#stopping === undefined) return;
    throw new LocalClusterError('STOPPED', 'The servers were stopped.');
  }

  async #stop(): Promise<void> {
    // A server that is being started is not in the list yet.
    await this.#launching;
    await Promise.all(this.#servers.map((server) => server.terminate()));
    rmSync(this.#folder, { recursive: true, force: true, maxRetries: 5 });
    await this.#watchdog.release();
  }

  async #launch(count: number, firstPort: number | undefined): Promise<RedisProcess[]> {
    const ports =
      firstPort === undefined
        ? await findFreePorts(count)
        : Array.from({ length: count }, (_, index) => firstPort + index);
    const tries = firstPort === undefined ? attempts : 1;
    const results = await Promise.allSettled(ports.map((port) => this.#launchOne(port, tries)));
    const launched = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
    // The servers that did start are in the list even if others failed, so that stop() ends them.
    this.#servers.push(...launched);
    const failed = results.find((result) => result.status === 'rejected');
    if (failed !== undefined) throw failed.reason as LocalClusterError;
    return launched;
  }

  async #launchOne(port: number, tries: number): Promise<RedisProcess> {
    for (let attempt = 1; ; attempt++) {
      const server = new RedisProcess(port, this.#program, this.#folder, this.#config, this.#watchdog);
      try {
        await this.serve(server);
        return server;
      } catch (error) {
        await server.terminate();
        if (attempt === tries || !/address already in use/i.test(server.logTail)) throw error;
        [port] = (await findFreePorts(1)) as [number];
      }
    }
  }
}
