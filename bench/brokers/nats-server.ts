import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';

/** Debian has it as a package; whoever is not root has to install it himself. */
export function findNatsServer(): string | undefined {
  if (works()) return 'nats-server';
  if (process.platform === 'linux' && process.getuid?.() === 0) {
    spawnSync('apt-get', ['install', '-y', '-q', 'nats-server'], { stdio: 'ignore', timeout: 60_000 });
  }
  return works() ? 'nats-server' : undefined;
}

export class NatsServer {
  private constructor(
    private readonly child: ChildProcess,
    readonly url: string,
  ) {}

  static async start(program: string): Promise<NatsServer> {
    const port = await freePort();
    const child = spawn(program, ['-a', '127.0.0.1', '-p', String(port)], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    try {
      await new Promise<void>((resolve, reject) => {
        child.once('error', reject);
        child.once('exit', (code) => reject(new Error(`nats-server has ended with ${String(code)}.`)));
        child.stderr.on('data', (text: Buffer) => {
          if (text.includes('Server is ready')) resolve();
        });
      });
    } catch (error) {
      child.kill('SIGKILL');
      throw error;
    }
    return new NatsServer(child, `nats://127.0.0.1:${port}`);
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  stop(): void {
    this.child.kill('SIGKILL');
  }
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

function works(): boolean {
  return spawnSync('nats-server', ['--version']).status === 0;
}
