import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { startProgram } from '../../support/programs.js';
import type { Misconduct } from '../evidence.js';
import type { FromMember, Order, OrderName, Orders, Setup } from './protocol.js';

/** How long a member may take to end after it was closed. */
const EXIT_TIMEOUT_MS = 5_000;

type Result<Name extends OrderName> = ReturnType<Orders[Name]>;

interface Listener {
  event(name: string, at: number, text: string): void;
  misconduct(misconduct: Misconduct): void;
}

/** The parent's end of a publisher or subscriber process. */
export class Member {
  readonly #child: ChildProcess;
  readonly #ready: Promise<void>;
  readonly #exited: Promise<unknown>;
  readonly #waiting = new Map<number, (message: Extract<FromMember, { type: 'done' }>) => void>();
  #orders = 0;
  #closing = false;

  constructor(
    readonly name: string,
    private readonly listener: Listener,
  ) {
    this.#child = startProgram('test/chaos/members/program.ts', [], {
      stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
      serialization: 'advanced',
    });
    this.#exited = once(this.#child, 'exit').then(() => this.#ended());
    this.#ready = new Promise((resolve) => {
      this.#child.on('message', (message) => this.#read(message as FromMember, resolve));
    });
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  async setUp(setup: Setup): Promise<void> {
    await this.#ready;
    await this.order('setUp', setup);
  }

  /** @throws Error when the member fails to do it, or ends meanwhile */
  async order<Name extends OrderName>(order: Name, argument?: Setup): Promise<Result<Name>> {
    const id = this.#orders++;
    const answered = new Promise<Extract<FromMember, { type: 'done' }>>((resolve) => {
      this.#waiting.set(id, resolve);
    });
    const message: Order = { id, order, ...(argument === undefined ? {} : { argument }) };
    if (this.#child.connected) this.#child.send(message);
    else this.#ended();
    const { error, result } = await answered;
    if (error !== undefined) throw new Error(`${this.name} could not ${order}: ${error}`);
    return result as Result<Name>;
  }

  /** Closes its connections and waits for it to end by itself; it is misconduct if it does not. */
  async close(): Promise<void> {
    this.#closing = true;
    const grace = new Promise<'grace is over'>((resolve) => {
      setTimeout(resolve, EXIT_TIMEOUT_MS, 'grace is over').unref();
    });
    const closed = this.order('close').then(
      () => this.#exited,
      () => undefined,
    );
    if ((await Promise.race([closed, grace])) === 'grace is over') {
      const what = `still there ${EXIT_TIMEOUT_MS} ms after it was closed: something was left open`;
      this.listener.misconduct({ who: this.name, what });
    }
    await this.kill();
  }

  async kill(): Promise<void> {
    this.#closing = true;
    if (this.#child.exitCode === null && this.#child.signalCode === null) this.#child.kill('SIGKILL');
    await this.#exited;
  }

  #read(message: FromMember, ready: () => void): void {
    if (message.type === 'ready') ready();
    else if (message.type === 'event') this.listener.event(this.name, message.at, message.text);
    else if (message.type === 'misconduct') {
      this.listener.misconduct({ who: this.name, what: message.text });
    } else {
      this.#waiting.get(message.id)?.(message);
      this.#waiting.delete(message.id);
    }
  }

  #ended(): void {
    if (!this.#closing) this.listener.misconduct({ who: this.name, what: 'ended before its time' });
    for (const [id, settle] of this.#waiting) settle({ type: 'done', id, error: 'its process has ended' });
    this.#waiting.clear();
  }
}
