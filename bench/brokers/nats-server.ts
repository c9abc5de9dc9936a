import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';

/** Debian has a package; without root it must be installed by hand. */
export function findNatsServer(): string | undefined {
  if (works()) return 'nats-server';
  if (process.platform === 'linux' && process.getuid?.() === 0) {
    spawnSync('apt-get', ['install', '-y', '-q', 'nats-server'], { stdio: 'ignore', timeout: 60_000 });
  }
  return works() ? 'nats-server' : undefined;
}

/**
 * Ends the server with its parent, however that ends: the shell waits for the end of its input. Ctrl-C reaches the whole
 * group, but must not reach the shell, which still has to end the server.
 */
const script = 'trap "" INT; "$@" >/dev/null 2>&1 & echo $!; cat >/dev/null; kill -9 $!; wait';

/** How long it may take to listen, in ms. */
const patience = 5_000;

export class NatsServer {
  private constructor(
    private readonly shell: ChildProcess,
    readonly pid: number,
    readonly url: string,
  ) {}

  /** @throws Error when it does not listen in time */
  static async start(program: string): Promise<NatsServer> {
    const port = await freePort();
    const command = [program, '-a', '127.0.0.1', '-p', String(port)];
    const shell = spawn('sh', ['-c', script, 'sh', ...command], { stdio: ['pipe', 'pipe', 'inherit'] });
    const [pid] = (await once(shell.stdout, 'data')) as [Buffer];
    const server = new NatsServer(shell, Number(pid.toString()), `nats://127.0.0.1:${port}`);
    const end = performance.now() + patience;
    while (!(await accepts(port))) {
      if (performance.now() > end) {
        server.stop();
        throw new Error(`nats-server does not listen on port ${port}.`);
      }
      await pause(20);
    }
    return server;
  }

  stop(): void {
    this.shell.stdin?.end();
  }
}

async function accepts(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

function works(): boolean {
  return spawnSync('nats-server', ['--version']).status === 0;
}
