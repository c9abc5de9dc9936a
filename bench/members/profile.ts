import { Session } from 'node:inspector/promises';

/** The parts that CPU time is attributed to. */
export const parts = [
  'engine',
  'transport',
  'Nest',
  'RxJS',
  'ioredis',
  'the arm itself',
  'Node',
  'writing to sockets',
  'garbage collection',
  'native code',
] as const;

export type Part = (typeof parts)[number];

/** Shares of the time in which the process was not idle; they add up to 1. */
export type Shares = Readonly<Record<Part, number>>;

/** Sampling interval in μs: short enough for a second to be meaningful, long enough not to measure itself. */
const interval = 500;

/** A sampling profiler of this process. */
export class Profile {
  readonly #session = new Session();

  async start(): Promise<void> {
    this.#session.connect();
    await this.#session.post('Profiler.enable');
    await this.#session.post('Profiler.setSamplingInterval', { interval });
    await this.#session.post('Profiler.start');
  }

  async stop(): Promise<Shares> {
    const { profile } = await this.#session.post('Profiler.stop');
    this.#session.disconnect();
    const hits = Object.fromEntries(parts.map((part) => [part, 0])) as Record<Part, number>;
    let all = 0;
    for (const { callFrame, hitCount = 0 } of profile.nodes) {
      const part = partOf(callFrame.functionName, callFrame.url);
      if (part === undefined) continue;
      hits[part] += hitCount;
      all += hitCount;
    }
    return Object.fromEntries(parts.map((part) => [part, hits[part] / all])) as Record<Part, number>;
  }
}

/** By the function that was running, not by its caller; JSON counts as the code that reads or writes it. */
function partOf(name: string, url: string): Part | undefined {
  if (name === '(idle)' || name === '(root)') return undefined;
  if (name === '(garbage collector)') return 'garbage collection';
  if (name === '(program)') return 'native code';
  if (/^write(v|Buffer|\w+String)$/.test(name) && url === '') return 'writing to sockets';
  const place = places.find(([pattern]) => pattern.test(url));
  return place?.[1] ?? (url === '' ? 'native code' : 'the arm itself');
}

const places: readonly (readonly [RegExp, Part])[] = [
  [/\/dist\/esm\/pubsub\//, 'engine'],
  [/\/dist\/esm\//, 'transport'],
  [/\/node_modules\/rxjs\//, 'RxJS'],
  [/\/node_modules\/@nestjs\//, 'Nest'],
  [/\/node_modules\/(ioredis|@ioredis|redis-\w+|standard-as-callback|denque|cluster-key-slot)\//, 'ioredis'],
  [/^node:/, 'Node'],
];
