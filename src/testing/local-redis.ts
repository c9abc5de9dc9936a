import type { NodeReference } from './node-address.js';
import type { RedisProcess } from './redis-process.js';
import { ServerGroup } from './server-group.js';
import { passwordOf, type LocalServerOptions } from './server-options.js';

/**
 * Starts one standalone Redis (no cluster) on a free loopback port.
 *
 * @throws LocalClusterError `REDIS_SERVER_NOT_FOUND` · `REDIS_SERVER_FAILED` · `TIMEOUT`
 */
export async function startLocalRedis(options: LocalServerOptions = {}): Promise<LocalRedis> {
  const group = new ServerGroup(options.config ?? {}, passwordOf(options));
  try {
    const [server] = (await group.launch(1)) as [RedisProcess];
    return new LocalRedis(group, server);
  } catch (error) {
    await group.stop();
    throw error;
  }
}

/** A standalone Redis for a test, created by {@link startLocalRedis}. */
export class LocalRedis implements NodeReference {
  readonly host: string;
  readonly port: number;

  /** @internal */
  constructor(
    private readonly group: ServerGroup,
    private readonly server: RedisProcess,
  ) {
    this.host = server.host;
    this.port = server.port;
  }

  /** Process id of the server, or undefined while it does not run. */
  get pid(): number | undefined {
    return this.server.pid;
  }

  /** The temporary folder with the files and the log of the server; removed by `stop()`. */
  get folder(): string {
    return this.group.folder;
  }

  /** Ends the server at once (SIGKILL). */
  async kill(): Promise<void> {
    await this.group.find(this).kill();
  }

  /** Freezes the server (SIGSTOP): its connections stay open, but it does not respond. */
  async pause(): Promise<void> {
    this.group.find(this).pause();
  }

  /** Ends a pause (SIGCONT). */
  async resume(): Promise<void> {
    this.group.find(this).resume();
  }

  /** Restarts the server on the same port; resolves when it accepts commands. */
  async restart(): Promise<void> {
    const server = this.group.find(this);
    await server.terminate();
    await this.group.serve(server);
  }

  /** Ends the server and removes its folder. May be called more than once. */
  stop(): Promise<void> {
    return this.group.stop();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }
}
