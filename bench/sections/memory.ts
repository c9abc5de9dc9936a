import { fileURLToPath } from 'node:url';
import type { ArmName } from '../arms/index.js';
import { attempt } from '../attempt.js';
import type { Brokers } from '../brokers/brokers.js';
import { typical, typicalRequests } from '../loads.js';
import type { LinkOrders } from '../members/link-program.js';
import { Member } from '../members/member.js';
import type { Options } from '../options.js';
import { tellProgress } from '../progress.js';
import type { LinkMemory } from '../results.js';
import type { Sample } from '../sample.js';
import { Session } from '../session.js';

const compared: readonly ArmName[] = ['nest-redis', 'ours-sharded', 'hand-written'];

/** ms of load after which the memory of a process is compared. */
const duration = 60_000;
const inAHurry = 5_000;

/** The memory of processes under load. */
export async function memory(brokers: Brokers, options: Options): Promise<Sample[]> {
  const samples: Sample[] = [];
  for (const arm of compared.filter((one) => options.arms.includes(one))) {
    samples.push(...(await attempt(arm, () => play(brokers, arm, options))));
  }
  return samples;
}

async function play(brokers: Brokers, arm: ArmName, { quick }: Options): Promise<Sample[]> {
  const session = await Session.start(brokers, { arm, requests: typical.requests });
  try {
    const pace = { warmUp: 0, window: quick ? inAHurry : duration };
    const measured = await session.measure(typicalRequests.load, pace);
    const sample = { section: 'memory', load: 'memory', arm, round: 0, ...measured } as const;
    tellProgress(sample);
    return [sample];
  } finally {
    await session.end();
  }
}

/** Bytes of a link with 10 channels, and with 10,000. */
export async function linkMemory(brokers: Brokers): Promise<LinkMemory> {
  return { few: await linkWith(10, brokers), many: await linkWith(10_000, brokers) };
}

async function linkWith(channels: number, brokers: Brokers): Promise<number> {
  const script = fileURLToPath(new URL('../members/link-program.ts', import.meta.url));
  const member = new Member<LinkOrders>('link', script, ['--expose-gc']);
  try {
    return await member.order('memory', { nodes: (await brokers.place()).nodes, channels });
  } finally {
    await member.end();
  }
}
