import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { FromMember, Order, Orders } from './protocol.js';

const program = fileURLToPath(new URL('program.ts', import.meta.url));

/** Time limit for one order, in ms: tens of processes may start at once. */
const patience = 90_000;

/** The orders that a program executes, by name. */
type OrdersOf<All> = Record<keyof All, (argument: never) => unknown>;

/** The parent's end of a client or server process, or of another program that obeys orders. */
export class Member<All extends OrdersOf<All> = Orders> {
  readonly #child: ChildProcess;
  readonly #ready: Promise<void>;
  readonly #exited: Promise<unknown>;
  readonly #waiting = new Map<number, (message: Extract<FromMember, { type: 'done' }>) => void>();
  #orders = 0;

  constructor(
    private readonly name: string,
    script = program,
    flags: readonly string[] = [],
  ) {
    const env: NodeJS.ProcessEnv = { ...process.env, NODE_ENV: 'production' };
    // Jest's own options are not passed on.
    delete env.NODE_OPTIONS;
    this.#child = fork(script, [], { execArgv: ['--import', 'tsx', ...flags], env });
    this.#exited = once(this.#child, 'exit').then(() => this.#ended());
    this.#ready = new Promise((resolve) => {
      this.#child.on('message', (message) => this.#read(message as FromMember, resolve));
    });
  }

  /** Process id; undefined if it could not be started. */
  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** @throws Error when the member fails, or ends meanwhile */
  async order<Name extends keyof All & string>(
    order: Name,
    ...[argument]: Parameters<All[Name]>
  ): Promise<ReturnType<All[Name]>> {
    await Promise.race([this.#ready, this.#exited]);
    const id = this.#orders++;
    const answered = new Promise<Extract<FromMember, { type: 'done' }>>((resolve) => {
      this.#waiting.set(id, resolve);
    });
    const message: Order<Name> = { id, order, argument };
    if (this.#child.connected) this.#child.send(message);
    else this.#ended();
    const timer = setTimeout(() => {
      this.#waiting.get(id)?.({ type: 'done', id, error: `no answer for ${patience} ms` });
    }, patience);
    const { error, result } = await answered;
    clearTimeout(timer);
    if (error !== undefined) throw new Error(`${this.name} could not ${order}: ${error}`);
    return result as ReturnType<All[Name]>;
  }

  /** Ends the process, and all it has open. */
  async end(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) this.#child.kill('SIGKILL');
    await this.#exited;
  }

  #read(message: FromMember, ready: () => void): void {
    if (message.type === 'ready') {
      ready();
      return;
    }
    this.#waiting.get(message.id)?.(message);
    this.#waiting.delete(message.id);
  }

  #ended(): void {
    for (const [id, settle] of this.#waiting) settle({ type: 'done', id, error: 'its process has ended' });
    this.#waiting.clear();
  }
}
