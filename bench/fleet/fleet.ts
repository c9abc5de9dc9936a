import { fileURLToPath } from 'node:url';
import { cpuOf } from '../brokers/process-stats.js';
import { Member } from '../members/member.js';
import type { FleetOrders, MemoryUse } from './protocol.js';
import type { Kind, Place } from './service.js';

const program = fileURLToPath(new URL('program.ts', import.meta.url));

interface Process {
  readonly member: Member<FleetOrders>;
  first: number;
  count: number;
}

/** Services of one kind, several in a process. */
export class Fleet {
  readonly #processes: Process[] = [];

  constructor(
    private readonly kind: Kind,
    private readonly place: Place,
    private readonly servicesPerProcess: number,
  ) {}

  get processes(): number {
    return this.#processes.length;
  }

  get size(): number {
    return this.#processes.reduce((sum, { count }) => sum + count, 0);
  }

  /** CPU time of all processes in μs; undefined without /proc. */
  get cpu(): number | undefined {
    return cpuOf(this.#processes.map(({ member }) => member.pid).filter((pid) => pid !== undefined));
  }

  /** Starts services until there are `size`; a process that is there is filled up first. */
  async grow(size: number): Promise<void> {
    const most = this.servicesPerProcess;
    while (this.#processes.length * most < size) {
      const first = this.#processes.length * most;
      const name = `process ${String(this.#processes.length)} of ${this.kind}`;
      this.#processes.push({ member: new Member(name, program, ['--expose-gc']), first, count: 0 });
    }
    await this.#all(async (one) => {
      const count = Math.min(most, size - one.first);
      if (count > one.count) await this.#start(one, one.first + one.count, count - one.count);
      one.count = count;
    });
  }

  /** Closes all services, then starts all of them at once: the time in ms until each has been answered. */
  async restart(): Promise<number[]> {
    await this.stop();
    const times = await this.#all((one) => this.#start(one, one.first, one.count));
    return times.flat();
  }

  /** Requests of all services until each has been answered; the times of the answers, in ms since 1970. */
  async askUntilAnswered(): Promise<number[]> {
    const times = await this.#all(({ member }) => member.order('askUntilAnswered'));
    return times.flat();
  }

  /** The memory of the first process. */
  async memory(): Promise<MemoryUse> {
    const [first] = this.#processes;
    if (first === undefined) throw new Error('grow first');
    return first.member.order('memory');
  }

  async stop(): Promise<void> {
    await this.#all(({ member }) => member.order('stop'));
  }

  /** Ends the processes. */
  async end(): Promise<void> {
    await this.#all(({ member }) => member.end());
  }

  #start({ member }: Process, first: number, count: number): Promise<readonly number[]> {
    return member.order('start', { kind: this.kind, place: this.place, first, count });
  }

  #all<T>(work: (one: Process) => Promise<T>): Promise<T[]> {
    return Promise.all(this.#processes.map(work));
  }
}
