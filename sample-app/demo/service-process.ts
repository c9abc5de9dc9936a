import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ReadyMessage } from '../shared/announce-ready.js';

export type ServiceName = 'gateway' | 'orders' | 'notifications';

/** Time limit for a service to start, in ms. */
const startTimeout = 20_000;
/** Time limit for a service to end after SIGTERM, in ms: its grace period for running handlers, and a margin. */
const stopTimeout = 8_000;
const linesToKeep = 40;

/** One service of the shop, in a process of its own. */
export class ServiceProcess {
  private readonly output: string[] = [];

  private constructor(
    readonly name: ServiceName,
    private readonly child: ChildProcess,
  ) {
    for (const stream of [child.stdout, child.stderr]) {
      if (stream === null) continue;
      createInterface(stream).on('line', (line) => {
        this.output.push(line);
        if (this.output.length > linesToKeep) this.output.shift();
      });
    }
  }

  /** Its HTTP address; empty for a service without HTTP. */
  url = '';

  get pid(): number | undefined {
    return this.child.pid;
  }

  /** The last lines that it has printed. */
  get lastWords(): string {
    return this.output.map((line) => `    ${this.name}: ${line}`).join('\n');
  }

  private get hasEnded(): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null;
  }

  /**
   * Resolves when the service reports that it is ready.
   *
   * @param script the compiled `main.js` of the service
   */
  static async start(
    name: ServiceName,
    script: string,
    env: Record<string, string>,
  ): Promise<ServiceProcess> {
    const child = fork(script, {
      env: { ...process.env, NO_COLOR: '1', NODE_OPTIONS: '', ...env },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      execArgv: [],
    });
    const service = new ServiceProcess(name, child);
    try {
      service.url = (await service.ready()).url ?? '';
      return service;
    } catch (error) {
      await service.stop();
      throw new Error(`${(error as Error).message}\n${service.lastWords}`, { cause: error });
    }
  }

  /** Sends SIGTERM, and waits. Resolves with the exit code; null when it had to be killed. */
  async stop(): Promise<number | null> {
    if (!this.hasEnded) {
      const exit = once(this.child, 'exit');
      this.child.kill('SIGTERM');
      const killer = setTimeout(() => this.child.kill('SIGKILL'), stopTimeout);
      await exit;
      clearTimeout(killer);
    }
    return this.child.exitCode;
  }

  private async ready(): Promise<ReadyMessage> {
    const stopWaiting = new AbortController();
    const { signal } = stopWaiting;
    const late = async (): Promise<never> => {
      await sleep(startTimeout, undefined, { signal });
      throw new Error(`${this.name} was not ready within ${startTimeout / 1_000} s.`);
    };
    const ended = async (): Promise<never> => {
      const [code, by] = (await once(this.child, 'exit', { signal })) as [number | null, string | null];
      throw new Error(`${this.name} ended (${by ?? `exit code ${String(code)}`}) before it was ready.`);
    };
    try {
      const [message] = (await Promise.race([once(this.child, 'message', { signal }), ended(), late()])) as [
        ReadyMessage,
      ];
      return message;
    } finally {
      stopWaiting.abort();
    }
  }
}
